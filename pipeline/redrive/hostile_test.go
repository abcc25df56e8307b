package redrive_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// TestHostileLetters: dead letters are of anyone. What a run keeps of them is bounded and printable.
func TestHostileLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		letter := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 1+i/26) }
		for i := range 1000 { // each with a reason of its own
			b.put(from, fmt.Sprintf("photos %d", i), because("broken "+letter(i)))
		}
		b.put(from, "photos "+strings.Repeat("k", 1<<20), because(strings.Repeat(`"\`, 1<<19)))
		b.put(from, "photos \x1b[2J", because("\x1b[2J\r\u202e erase"))
		c := config(b)
		c.Action, c.To = redrive.Look, ""
		s := mustRun(t, c)
		if len(s.Groups) > 101 || s.Total.Found != 1002 {
			t.Errorf("%d groups of %d messages", len(s.Groups), s.Total.Found)
		}
		for _, g := range s.Groups {
			if len(g.Reason) > 200 || len(g.Samples) > 3 || strings.ContainsFunc(g.Reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("reason %q with %d samples", g.Reason, len(g.Samples))
			}
			for _, s := range g.Samples {
				if len(s.Bucket)+len(s.Key)+len(s.MessageID) > 900 {
					t.Errorf("sample of %d bytes", len(s.Key))
				}
			}
		}
	})
}
