package pipeline

import (
	"errors"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReason asserts that every error becomes a reason that every queue carries.
func FuzzReason(f *testing.F) {
	for _, text := range []string{"", "a\r\nb", "\x00\xff\u2028\u202e", "ü💎"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := reason(errors.New(text))
		if len(got) > maxReason || !utf8.ValidString(got) {
			t.Errorf("reason of %d bytes: %q", len(got), got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) && r != utf8.RuneError {
				t.Errorf("reason %q has %q", got, r)
			}
		}
	})
}

// FuzzProgress reads the progress that a continuation or a sender has written.
func FuzzProgress(f *testing.F) {
	for _, text := range []string{"1/2", "", "-1/-9223372036854775808", "1/2 x", "99999999999999999999/1", " 1/\n2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseProgress(text)
		if !ok {
			return
		}
		if again, ok := parseProgress(p.String()); !ok || again != p {
			t.Errorf("%q reads as %v, and that as %v", text, p, again)
		}
		if p.beyond(p) {
			t.Errorf("%v is beyond itself", p)
		}
	})
}
