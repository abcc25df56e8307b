package output_test

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestProgressOnTerminal expects a bar with its facts that never wraps, lines above it, and at the end only
// the lines.
func TestProgressOnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	t.Setenv("TERM", "xterm")
	for name, tc := range map[string]struct {
		columns int
		o       output.ProgressOptions
		later   sweep.Totals // expected only when the first rows are there
		bar     string       // pattern
	}{
		"later": {120, output.ProgressOptions{}, sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 8}, Bytes: 32 << 20},
			`^3 of 8 objects, 9\.0 MiB, [0-9.]+ [KMG]iB/s, 1 fault ━+─+ 28 %, about [0-9]+s left$`},
		"bar":     {120, output.ProgressOptions{Expected: sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 8}, Bytes: 32 << 20}}, sweep.Totals{}, `^3 of 8 objects, 9\.0 MiB, [0-9.]+ [KMG]iB/s, 1 fault ━+─+ 28 %, about [0-9]+s left$`},
		"facts":   {120, output.ProgressOptions{}, sweep.Totals{}, `^3 objects, 9\.0 MiB, [0-9.]+ [KMG]iB/s, 1 fault`},
		"narrow":  {20, output.ProgressOptions{Expected: sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 8}}}, sweep.Totals{}, `^3 of 8 objects, 9`},
		"no more": {120, output.ProgressOptions{Expected: sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 1}}}, sweep.Totals{}, `^3 of 1 object, `},
	} {
		t.Run(name, func(t *testing.T) {
			user, program := terminal.Open(t, tc.columns)
			s := output.StartProgress(program, pass(sweep.Verify), tc.o)
			rows := output.Text(s.Above(program), pass(sweep.Verify))
			for _, r := range append(good(2, sweep.OK), faults()[1]) {
				if err := (output.Sinks{rows, s}).Row(r); err != nil {
					t.Fatal(err)
				}
			}
			if tc.later.Bytes > 0 {
				s.Expect(tc.later)
			}
			// The terminal shows the bar in its own time.
			bar := regexp.MustCompile(tc.bar)
			got := &screen{}
			read(t, user, got, func() bool { return bar.MatchString(got.last()) && strings.Contains(got.String(), "stale") })
			if err := (output.Sinks{rows, s}).Close(ended()); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(program, "done\n"); err != nil {
				t.Fatal(err)
			}
			read(t, user, got, func() bool { return strings.Contains(got.String(), "done") })
			want := "stale       b/stale.jpg: the record is of the version with ETag \"abc\"\ndone"
			if got.String() != want {
				t.Errorf("the screen is %q, want %q", got.String(), want)
			}
			if width := got.widest; width > tc.columns {
				t.Errorf("the bar is %d columns wide, of %d", width, tc.columns)
			}
		})
	}
}

// read shows the program's output on a screen until it is as expected.
func read(t *testing.T, user io.Reader, s *screen, until func() bool) {
	t.Helper()
	shown := make(chan error)
	go func() {
		buffer := make([]byte, 4096)
		for !until() {
			n, err := user.Read(buffer)
			if err != nil {
				shown <- err
				return
			}
			s.write(string(buffer[:n]))
		}
		shown <- nil
	}()
	select {
	case err := <-shown:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the screen is %q", s.String())
	}
}

// screen is as much of a terminal as the bar uses: a cursor that goes up, and what is below it erased.
type screen struct {
	lines  []string
	rest   string // an unfinished sequence
	widest int    // line with a bar
}

var up = regexp.MustCompile(`^\x1b\[([0-9]*)A\x1b\[J`)

func (s *screen) write(text string) {
	text = s.rest + text
	s.rest = ""
	for text != "" {
		switch {
		case text[0] == 0x1b:
			found := up.FindStringSubmatch(text)
			if found == nil {
				s.rest = text
				return
			}
			n := 1
			if found[1] != "" {
				n = int(found[1][0] - '0')
			}
			s.lines = s.lines[:max(len(s.lines)-n, 0)]
			text = text[len(found[0]):]
		default:
			line, rest, complete := strings.Cut(text, "\n")
			if !complete {
				s.rest = text
				return
			}
			line = strings.TrimSuffix(line, "\r")
			s.lines = append(s.lines, line)
			if strings.Contains(line, " object") {
				s.widest = max(s.widest, len([]rune(line)))
			}
			text = rest
		}
	}
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }

func (s *screen) last() string {
	if len(s.lines) == 0 {
		return ""
	}
	return s.lines[len(s.lines)-1]
}
