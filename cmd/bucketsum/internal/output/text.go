package output

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// text writes a line for each object that is not as it should be.
type text struct {
	pass  Pass
	lines *lines
	paint painter
	most  int64 // lines; negative: no limit
	told  int64
}

// Text returns a sink that writes one line for each row that is not ok: state, name and details.
func Text(w io.Writer, p Pass) Sink { return TextMost(w, p, -1) }

// TextMost is Text with a bound: after so many lines, further ones are only counted. A negative number is no bound.
func TextMost(w io.Writer, p Pass, most int64) Sink {
	return &text{pass: p, lines: newLines(w), paint: painterFor(w), most: most}
}

func (s *text) Row(r sweep.Row) error {
	weight := s.pass.weigh(r.State)
	if weight == fine {
		return nil
	}
	if s.told++; s.most >= 0 && s.told > s.most {
		return nil
	}
	line := fmt.Sprintf("%s  %s", s.paint(weight, column(r.State)), readable.Name(s.pass.nameOf(r)))
	if details := strings.Join(details(r), "; "); details != "" {
		line += ": " + details
	}
	if err := s.lines.write([]byte(line + "\n")); err != nil {
		return fmt.Errorf("write what is not ok: %w", err)
	}
	return nil
}

func (s *text) Close(End) error {
	if more := s.told - s.most; s.most >= 0 && more > 0 {
		if err := s.lines.write(fmt.Appendf(nil, "… and %s more\n", counted(more, s.pass.noun()))); err != nil {
			return fmt.Errorf("write what is not ok: %w", err)
		}
	}
	if err := s.lines.flush(); err != nil {
		return fmt.Errorf("write what is not ok: %w", err)
	}
	return nil
}

// nameOf returns the key of a row, with its bucket if the pass has several.
func (p Pass) nameOf(r sweep.Row) string {
	if len(p.Buckets) > 1 {
		return r.Bucket + "/" + r.Key
	}
	return r.Key
}

// longest is how many bytes of a reason are shown.
const longest = 500

// details says what is wrong with an object, safe to print.
func details(r sweep.Row) []string {
	var all []string
	if r.Noncurrent {
		all = append(all, "version "+readable.Name(r.VersionID))
	}
	if r.From != "" {
		all = append(all, "listed as "+readable.Name(r.From))
	}
	for _, algorithm := range unsaid(r) {
		all = append(all, expectation(algorithm, r.Checksums[algorithm], r.Expected[algorithm]))
	}
	if r.Reason != "" {
		all = append(all, readable.Text(clip(r.Reason)))
	}
	return all
}

// unsaid returns the algorithms whose two values, the found and the expected one, are not both in the reason.
func unsaid(r sweep.Row) []string {
	reason := clip(r.Reason)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.Expected)), func(algorithm string) bool {
		found, expected := r.Checksums[algorithm], r.Expected[algorithm]
		return found != "" && expected != "" && strings.Contains(reason, found) && strings.Contains(reason, expected)
	})
}

func expectation(algorithm, found, expected string) string {
	if found == "" {
		return readable.Text(algorithm + " " + expected)
	}
	return readable.Text(algorithm + " is " + found + ", expected " + expected)
}

// clip shortens what a person is to read.
func clip(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// painter colours a text by its weight.
type painter func(w weight, text string) string

// painterFor colours on terminals only, and not if NO_COLOR is set; see https://no-color.org.
func painterFor(w io.Writer) painter {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return func(_ weight, text string) string { return text }
	}
	return paint
}

func paint(w weight, text string) string {
	switch w {
	case failed:
		return "\x1b[1;31m" + text + "\x1b[m" // bold red
	case unchecked:
		return "\x1b[33m" + text + "\x1b[m" // yellow
	case noted:
		return "\x1b[36m" + text + "\x1b[m" // cyan
	}
	return text
}
