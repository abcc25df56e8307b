package screen_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestTerminal expects that a line is printed above the status line, which stays, and that
// TERM and NO_COLOR are heeded.
func TestTerminal(t *testing.T) {
	for name, tc := range map[string]struct {
		term, noColor string
		want          string
	}{
		"colours":    {"xterm", "", "\r\x1b[K50 %\r\x1b[K\x1b[31mFAILED\x1b[0m\r\n50 %\r\x1b[K"},
		"no colours": {"xterm", "1", "\r\x1b[K50 %\r\x1b[KFAILED\r\n50 %\r\x1b[K"},
		"dumb":       {"dumb", "", "FAILED\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TERM", tc.term)
			t.Setenv("NO_COLOR", tc.noColor)
			user, program := terminal.Open(t, 60)
			s := screen.New(program)
			s.Status("50 %")
			s.Print(s.Paint(screen.Red, "FAILED"))
			s.Status("")
			got := make([]byte, len(tc.want))
			if _, err := io.ReadFull(user, got); err != nil || string(got) != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
			if width := s.Width(); name != "dumb" && width != 60 {
				t.Errorf("the width is %d", width)
			}
		})
	}
}

// TestBeside expects that a log leaves the status line whole.
func TestBeside(t *testing.T) {
	t.Setenv("TERM", "xterm")
	user, program := terminal.Open(t, 60)
	s := screen.New(program)
	s.Status("50 %")
	io.WriteString(s.Beside(program), "a warning\n")
	want := "\r\x1b[K50 %\r\x1b[Ka warning\r\n50 %"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(user, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	var file bytes.Buffer
	if io.WriteString(s.Beside(&file), "a warning\n"); file.String() != "a warning\n" {
		t.Errorf("a file has %q", file.String())
	}
}

func TestNoTerminal(t *testing.T) {
	var out bytes.Buffer
	s := screen.New(&out)
	s.Status("50 %")
	s.Print(s.Paint(screen.Red, "FAILED"), "b")
	if got := out.String(); got != "FAILED\nb\n" || s.Width() != screen.Unlimited || s.Live() {
		t.Errorf("got %q, width %d", got, s.Width())
	}
}
