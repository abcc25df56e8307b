package output

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// summary counts the rows, and writes a table at the end.
type summary struct {
	pass  Pass
	out   io.Writer
	paint painter
	tally tally
}

// Summary returns a sink that writes the totals, what they mean, and what to do next when the pass ends.
func Summary(w io.Writer, p Pass) Sink { return &summary{pass: p, out: w, paint: painterFor(w)} }

func (s *summary) Row(r sweep.Row) error {
	s.tally.add(r)
	return nil
}

func (s *summary) Close(e End) error {
	if e.Refused {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.pass.headline(&s.tally, e))
	if e.Again {
		fmt.Fprintf(&b, "%s\n", s.pass.again(e))
	}
	for _, state := range s.tally.order() {
		v := s.tally.states[state]
		what, _ := s.pass.meaning(state)
		fmt.Fprintf(&b, "  %s  %10d  %10s  %s\n", s.paint(s.pass.weigh(state), column(state)), v.objects, readable.Bytes(v.bytes), what)
	}
	fmt.Fprintf(&b, "%s\n", s.tally.sentence(s.pass, e))
	if e.Stopped != "" {
		fmt.Fprintf(&b, "%s\n", capital(readable.Text(e.Stopped)))
	}
	for _, state := range s.tally.order() {
		if _, next := s.pass.meaning(state); next != "" {
			fmt.Fprintf(&b, "  %s  %s\n", column(state), next)
		}
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

// headline says what was done, with how much, in what time.
func (p Pass) headline(t *tally, e End) string {
	var (
		all      = t.objects()
		duration = p.duration(e)
		names    []string
	)
	for _, name := range p.Buckets {
		names = append(names, readable.Name(name))
	}
	line := fmt.Sprintf("%s %s: %s, %s, in %s", p.Command, strings.Join(names, ", "), counted(all.objects, p.noun()),
		readable.Bytes(all.bytes), readable.Duration(duration.Round(time.Millisecond)))
	if t.read > 0 {
		line += fmt.Sprintf("; %s read", readable.Bytes(t.read))
		if !e.Resumed {
			line += rate(t.read, duration)
		}
	}
	return line
}

// begun returns when the pass began, perhaps in another process.
func (p Pass) begun(e End) time.Time {
	if e.Begun.IsZero() {
		return p.Begun
	}
	return e.Begun
}

func (p Pass) duration(e End) time.Duration { return max(e.At.Sub(p.begun(e)), 0) }

// again says that nothing was done.
func (p Pass) again(e End) string {
	return fmt.Sprintf("Pass %s ended at %s. This shows its reports again: no object was looked at now. To look at them again, choose another --pass.",
		readable.Name(e.Pass), e.At.UTC().Format(time.RFC3339))
}

// column returns a state, as wide as all others.
func column(s sweep.State) string { return fmt.Sprintf("%-10s", readable.Text(string(s))) }

// rate returns a rate with a comma before it, or nothing after no time.
func rate(bytes int64, in time.Duration) string {
	if in < time.Millisecond {
		return ""
	}
	return ", " + readable.Bytes(int64(float64(bytes)/in.Seconds())) + "/s"
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s = capital(s); s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}
