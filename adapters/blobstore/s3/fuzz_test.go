package s3

import (
	"bytes"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzKey asserts that no accepted key names something outside the bucket for a server, or a
// proxy before it, that resolves dots in paths.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"a", "../a", "a/../../b", "a/../b", "./../x", "//..", "a/./..", "..a", "a/..b/../..", "...", "a//../../x"} {
		f.Add(key)
	}
	var b bucket
	f.Fuzz(func(t *testing.T, key string) {
		resolved := path.Clean("/bucket/" + key)
		inside := resolved == "/bucket" || strings.HasPrefix(resolved, "/bucket/")
		if err := b.Check(key); err == nil && !inside {
			t.Errorf("key %q leads to %s", key, resolved)
		}
	})
}

// FuzzReadableXML repairs the answers of a store.
func FuzzReadableXML(f *testing.F) {
	for _, doc := range []string{"<Error><Key>a\x01&#x1;&#65;</Key></Error>", "&#x110000;&#xD800;&#99999999999999999999;", "\xff\xfe", "&#xFFFE;\uFFFE", "&#;&#x;"} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got := readableXML(doc)
		if !utf8.Valid(got) || bytes.ContainsFunc(got, func(r rune) bool { return !isXML(r) }) {
			t.Errorf("%q becomes %q, which is not XML", doc, got)
		}
		if again := readableXML(got); !bytes.Equal(got, again) {
			t.Errorf("%q becomes %q, and then %q", doc, got, again)
		}
		if len(got) > 3*len(doc) {
			t.Errorf("%d bytes become %d", len(doc), len(got))
		}
	})
}

// FuzzRangeLength asserts that ranges have a sensible length, whatever a store says.
func FuzzRangeLength(f *testing.F) {
	f.Add("d41d8cd98f00b204e9800998ecf8427e-3", int64(20<<20))
	f.Add("x-10000", int64(1<<63-1))
	f.Add("-1", int64(-1))
	f.Add("x-99999999999999999999", int64(0))
	f.Fuzz(func(t *testing.T, etag string, size int64) {
		if n := rangeLength(etag, size); n < 8<<20 || n > 16<<20 {
			t.Errorf("ranges of %d bytes for %q of %d", n, etag, size)
		}
	})
}
