// Package markup builds HTML from untrusted text: names, keys, reasons. The page of the worker and the report of
// a pass are made with it.
//
// html/template escapes at run time. It calls methods by reflection, so the linker keeps every exported
// method of every client library, which makes the program two fifths larger.
package markup

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"strconv"
	"strings"
	"time"
)

// HTML is markup. Constants are markup as they are written. The compiler accepts other strings only through
// the functions of this package, so content from outside is always escaped.
type HTML string

// Text escapes s for use between tags and in a quoted attribute.
func Text(s string) HTML { return HTML(html.EscapeString(s)) }

// Number returns a number without separators.
func Number(n int64) HTML { return HTML(strconv.FormatInt(n, 10)) }

// Count returns a number with separated thousands, for people.
func Count(n int64) HTML {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return HTML(s)
}

// Join concatenates parts.
func Join(parts ...HTML) HTML {
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(string(p))
	}
	return HTML(all.String())
}

// Each concatenates the markup of all items.
func Each[T any](items []T, of func(T) HTML) HTML {
	var all strings.Builder
	for _, item := range items {
		all.WriteString(string(of(item)))
	}
	return HTML(all.String())
}

// When returns the parts if the condition holds, else nothing.
func When(condition bool, parts ...HTML) HTML {
	if !condition {
		return ""
	}
	return Join(parts...)
}

// Foreign shows a name or text from outside. Characters that are invisible, that change the direction of the
// text after them, or that are invalid are escaped, in elements of the class esc.
func Foreign(s string) HTML {
	return Each(visible(s), func(s segment) HTML {
		if s.escaped {
			return Join(`<span class="esc">`, Text(s.text), `</span>`)
		}
		return Text(s.text)
	})
}

// Name shows the name of an object. An empty bucket is left out.
func Name(bucket, key string) HTML {
	return Join(`<bdi class="name">`,
		When(bucket != "", `<span class="bucket">`, Foreign(bucket), `/</span>`),
		Foreign(key), `</bdi>`)
}

// Time shows a time in UTC, as an element that a script can show in the reader's time zone.
func Time(t time.Time) HTML {
	t = t.UTC()
	return Join(`<time datetime="`, Text(t.Format("2006-01-02T15:04:05.000Z")), `">`,
		Text(t.Format("2006-01-02 15:04:05 UTC")), `</time>`)
}

// Source returns the source expression with which a Content-Security-Policy permits an inline script or style
// of this content.
func Source(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
