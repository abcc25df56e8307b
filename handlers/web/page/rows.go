package page

import (
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// outcomes are the values of Query.Outcome.
var outcomes = []struct {
	value, name markup.HTML
	has         []pipeline.Outcome
}{
	{"", "all", nil},
	{"recorded", "new checksum", []pipeline.Outcome{pipeline.Recorded}},
	{"current", "already recorded", []pipeline.Outcome{pipeline.Current}},
	{"mismatch", "not as claimed", []pipeline.Outcome{pipeline.Mismatch}},
	{"deleted", "deleted", []pipeline.Outcome{pipeline.Removed, pipeline.Kept}},
}

// of returns the results that the query selects.
func (q Query) of(results []live.Done) []live.Done {
	var has []pipeline.Outcome
	for _, o := range outcomes {
		if string(o.value) == q.Outcome {
			has = o.has
		}
	}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	var shown []live.Done
	for _, d := range results {
		if has != nil && !slices.Contains(has, d.Outcome) {
			continue
		}
		found := strings.Contains(strings.ToLower(d.Bucket+"/"+d.Key), text)
		for _, value := range d.Digests {
			found = found || strings.HasPrefix(value, text)
		}
		if found {
			shown = append(shown, d)
		}
	}
	return shown
}

// resultRows shows results. Deletions are one row, where the newest of them is.
func resultRows(q Query, results []live.Done) markup.HTML {
	var gone []live.Done
	var rows []markup.HTML
	at := -1
	for _, d := range q.of(results) {
		if d.Outcome == pipeline.Removed || d.Outcome == pipeline.Kept {
			if at < 0 {
				at = len(rows)
				rows = append(rows, "")
			}
			gone = append(gone, d)
			continue
		}
		rows = append(rows, resultRow(d))
	}
	switch {
	case at < 0:
	case len(gone) == 1 || q.Outcome == "deleted":
		rows[at] = markup.Each(gone, resultRow)
	case len(gone) > 1:
		rows[at] = markup.Join("\n", `<li><details id="deleted"><summary class="line"><span class="name">`, markup.Count(int64(len(gone))),
			` deleted</span> <span class="facts">`, markup.Time(gone[0].At), `</span></summary><ul class="rows">`, markup.Each(gone, resultRow), `</ul></details></li>`)
	}
	return markup.Join(rows...)
}

// size returns the size between before and after, or nothing if the size is unknown.
func size(before markup.HTML, bytes *int64, after markup.HTML) markup.HTML {
	if bytes == nil {
		return ""
	}
	return markup.Join(before, markup.Text(readable.Bytes(*bytes)), after)
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
		facts = markup.Join(bytes, `<strong class="badge">not as claimed</strong>`)
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
