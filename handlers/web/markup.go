package web

import (
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// markup is HTML. A constant is markup as it stands; every other string becomes
// it through text or number, as the compiler takes no other: what came from outside
// is only ever text.
//
// html/template would do the same at run time. It calls methods by names that it
// finds by reflection, so that the linker must keep every exported method of
// every client in the program, which makes it larger by two fifths.
type markup string

// text returns s as it can stand between tags and in an attribute between quotes.
func text(s string) markup { return markup(html.EscapeString(s)) }

func number(n int64) markup { return markup(strconv.FormatInt(n, 10)) }

// join returns parts one after another.
func join(parts ...markup) markup {
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(string(p))
	}
	return markup(all.String())
}

// each returns the markup of every item, one after another.
func each[T any](items []T, of func(T) markup) markup {
	var all strings.Builder
	for _, item := range items {
		all.WriteString(string(of(item)))
	}
	return markup(all.String())
}

// when returns the parts, or nothing if the condition does not hold.
func when(condition bool, parts ...markup) markup {
	if !condition {
		return ""
	}
	return join(parts...)
}

// foreign returns what strangers named, see visible.
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

// size returns before, the size and after, or nothing if the size is unknown.
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
	fate := markup(`<span class="badge wait">comes again</span>`)
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
		facts = join(bytes, "<span>", text(seconds(d.Seconds)), "</span>")
	case pipeline.Current:
		facts = join(bytes, "<span>had it</span>")
	case pipeline.Removed:
		facts = "<span>record removed</span>"
	case pipeline.Mismatch:
		facts = join(bytes, `<strong class="badge">not what its store claims</strong>`)
	default:
		facts = "<span>deleted, record left</span>"
	}
	sums := each(inOrder(d.Digests), func(d namedDigest) markup {
		return join(`<div class="sum"><span class="alg">`, text(d.Algorithm), `</span> <code>`, text(d.Value), `</code></div>`)
	})
	return join("\n", `<li><div class="line">`, nameOf(d.Bucket, d.Key), `<span class="facts">`, facts, " ", moment(d.At),
		`</span></div>`, sums, `</li>`)
}
