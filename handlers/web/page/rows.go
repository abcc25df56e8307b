package page

import (
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// size returns the size between before and after, or nothing if the size is unknown.
func size(before markup.HTML, bytes *int64, after markup.HTML) markup.HTML {
	if bytes == nil {
		return ""
	}
	return markup.Join(before, markup.Text(readable.Bytes(*bytes)), after)
}

func total(class, name, value markup.HTML) markup.HTML {
	return markup.Join(`<div`, class, `><dt>`, name, `</dt><dd>`, value, "</dd></div>\n")
}

func totals(t live.Totals) markup.HTML {
	return markup.Join(
		total("", "Summed", markup.Count(t.Summed)),
		total("", "Data read", markup.Text(readable.Bytes(t.Bytes))),
		total("", "Had a checksum", markup.Count(t.Current)),
		total("", "Records removed", markup.Count(t.Removed)),
		markup.When(t.Mismatched != 0, total(` class="bad"`, "Not as claimed", markup.Count(t.Mismatched))),
		total(markup.When(t.Failed != 0, ` class="bad"`), "Failed", markup.Count(t.Failed)),
	)
}

func workRow(w live.Work) markup.HTML {
	bar := markup.HTML(`<progress`)
	if w.Size != nil {
		bar = markup.Join(bar, ` max="`, markup.Number(*w.Size), `" value="`, markup.Number(w.Read), `"`)
	}
	return markup.Join("\n", `<li><div class="line">`, markup.Name(w.Bucket, w.Key),
		`<span class="facts">`, markup.Text(readable.Bytes(w.Read)), size(" of ", w.Size, ""), `</span></div>`,
		"\n", bar, ` aria-label="read so far"></progress></li>`)
}

func failureRow(f live.Failure) markup.HTML {
	name := markup.Name(f.Bucket, f.Key)
	if f.Key == "" {
		name = markup.Join(`<span class="name">message `, markup.Foreign(f.MessageID), `</span>`)
	}
	fate := markup.HTML(`<span class="badge wait">will be retried</span>`)
	if f.Final {
		fate = `<strong class="badge">given up</strong>`
	}
	return markup.Join("\n", `<li><div class="line">`, name, `<span class="facts">`, fate, " ", markup.Time(f.At), `</span></div>`,
		"\n", `<p class="reason">`, markup.Foreign(f.Reason), `</p></li>`)
}

func resultRow(d live.Done) markup.HTML {
	var facts markup.HTML
	bytes := size("<span>", d.Size, "</span>")
	switch d.Outcome {
	case pipeline.Recorded:
		facts = markup.Join(bytes, "<span>", markup.Text(readable.Duration(time.Duration(d.Seconds*float64(time.Second)))), "</span>")
	case pipeline.Current:
		facts = markup.Join(bytes, "<span>already recorded</span>")
	case pipeline.Removed:
		facts = "<span>record removed</span>"
	case pipeline.Mismatch:
		facts = markup.Join(bytes, `<strong class="badge">not what its store claims</strong>`)
	default:
		facts = "<span>deleted, record kept</span>"
	}
	sums := markup.Each(digest.Names(), func(algorithm string) markup.HTML {
		value := d.Digests[algorithm]
		return markup.When(value != "", `<div class="sum"><span class="alg">`, markup.Text(algorithm), `</span> <code>`, markup.Text(value), `</code></div>`)
	})
	return markup.Join("\n", `<li><div class="line">`, markup.Name(d.Bucket, d.Key), `<span class="facts">`, facts, " ", markup.Time(d.At),
		`</span></div>`, sums, `</li>`)
}
