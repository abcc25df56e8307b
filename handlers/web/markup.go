package web

import (
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// markup is HTML. Constants are markup as they are written. The compiler accepts other strings only through
// text or number, so content from outside is always escaped.
//
// html/template escapes at run time. It calls methods by reflection, so the linker keeps every exported
// method of every client library, which makes the program two fifths larger.
type markup string

// text escapes s for use between tags and in a quoted attribute.
func text(s string) markup { return markup(html.EscapeString(s)) }

func number(n int64) markup { return markup(strconv.FormatInt(n, 10)) }

// join concatenates parts.
func join(parts ...markup) markup {
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(string(p))
	}
	return markup(all.String())
}

// each concatenates the markup of all items.
func each[T any](items []T, of func(T) markup) markup {
	var all strings.Builder
	for _, item := range items {
		all.WriteString(string(of(item)))
	}
	return markup(all.String())
}

// when returns the parts if the condition holds, else nothing.
func when(condition bool, parts ...markup) markup {
	if !condition {
		return ""
	}
	return join(parts...)
}

// foreign shows a name or text from outside; see visible.
func foreign(s string) markup {
	return each(visible(s), func(s segment) markup {
		if s.Escaped {
			return join(`<span class="esc">`, text(s.Text), `</span>`)
		}
		return text(s.Text)
	})
}

func nameOf(bucket, key string) markup {
	return join(`<bdi class="name">`,
		when(bucket != "", `<span class="bucket">`, foreign(bucket), `/</span>`),
		foreign(key), `</bdi>`)
}

func moment(t time.Time) markup {
	t = t.UTC()
	return join(`<time datetime="`, text(t.Format("2006-01-02T15:04:05.000Z")), `">`,
		text(t.Format("2006-01-02 15:04:05 UTC")), `</time>`)
}

// size returns the size between before and after, or nothing if the size is unknown.
func size(before markup, bytes *int64, after markup) markup {
	if bytes == nil {
		return ""
	}
	return join(before, text(readable.Bytes(*bytes)), after)
}

func total(class, name, value markup) markup {
	return join(`<div`, class, `><dt>`, name, `</dt><dd>`, value, "</dd></div>\n")
}

func totals(t Totals) markup {
	count := func(n int64) markup { return text(grouped(n)) }
	return join(
		total("", "Summed", count(t.Summed)),
		total("", "Data read", text(readable.Bytes(t.Bytes))),
		total("", "Had a checksum", count(t.Current)),
		total("", "Records removed", count(t.Removed)),
		when(t.Mismatched != 0, total(` class="bad"`, "Not as claimed", count(t.Mismatched))),
		total(when(t.Failed != 0, ` class="bad"`), "Failed", count(t.Failed)),
	)
}

func workRow(w Work) markup {
	bar := markup(`<progress`)
	if w.Size != nil {
		bar = join(bar, ` max="`, number(*w.Size), `" value="`, number(w.Read), `"`)
	}
	return join("\n", `<li><div class="line">`, nameOf(w.Bucket, w.Key),
		`<span class="facts">`, text(readable.Bytes(w.Read)), size(" of ", w.Size, ""), `</span></div>`,
		"\n", bar, ` aria-label="read so far"></progress></li>`)
}

func failureRow(f Failure) markup {
	name := nameOf(f.Bucket, f.Key)
	if f.Key == "" {
		name = join(`<span class="name">message `, foreign(f.MessageID), `</span>`)
	}
	fate := markup(`<span class="badge wait">will be retried</span>`)
	if f.Final {
		fate = `<strong class="badge">given up</strong>`
	}
	return join("\n", `<li><div class="line">`, name, `<span class="facts">`, fate, " ", moment(f.At), `</span></div>`,
		"\n", `<p class="reason">`, foreign(f.Reason), `</p></li>`)
}

func resultRow(d Done) markup {
	var facts markup
	bytes := size("<span>", d.Size, "</span>")
	switch d.Outcome {
	case pipeline.Recorded:
		facts = join(bytes, "<span>", text(readable.Duration(time.Duration(d.Seconds*float64(time.Second)))), "</span>")
	case pipeline.Current:
		facts = join(bytes, "<span>already recorded</span>")
	case pipeline.Removed:
		facts = "<span>record removed</span>"
	case pipeline.Mismatch:
		facts = join(bytes, `<strong class="badge">not what its store claims</strong>`)
	default:
		facts = "<span>deleted, record kept</span>"
	}
	sums := each(digest.Names(), func(algorithm string) markup {
		value := d.Digests[algorithm]
		return when(value != "", `<div class="sum"><span class="alg">`, text(algorithm), `</span> <code>`, text(value), `</code></div>`)
	})
	return join("\n", `<li><div class="line">`, nameOf(d.Bucket, d.Key), `<span class="facts">`, facts, " ", moment(d.At),
		`</span></div>`, sums, `</li>`)
}
