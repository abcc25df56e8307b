// Package report tells the user of the local command what is done with files: a line for each, what failed, what was
// skipped and what waits.
package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

const (
	shownFailures = 20 // the summary repeats so many at most
	shownName     = 20 // the name in a line gets so many cells before sizes and times get any
)

// headColours are the colours of the first words of lines.
var headColours = map[string]screen.Colour{
	"FAILED": screen.Red, "MISMATCH": screen.Red, "RETRY": screen.Yellow, "WAITS": screen.Yellow, "GONE": screen.Yellow, "WORKS AGAIN": screen.Green,
}

// Report prints a line for each object and a summary. Safe for concurrent use.
type Report struct {
	*screen.Screen
	algorithms []string // of the checksums in lines
	activity   *live.Activity
}

// New returns a report on checksums of these algorithms.
func New(out *screen.Screen, algorithms []string, activity *live.Activity) *Report {
	return &Report{out, algorithms, activity}
}

// Line prints a sentence, on as many lines of the terminal as it needs.
func (r *Report) Line(format string, args ...any) {
	r.Print(screen.Wrap(fmt.Sprintf(format, args...), r.Width(), "  ")...)
}

// Told prints a sentence about a file, or about what a word in capitals says.
func (r *Report) Told(head, name, reason string) {
	r.Print(r.tell(head, name, reason)...)
}

func (r *Report) tell(head, name, reason string) []string {
	text := head + "  "
	if name != "" {
		name = readable.Name(name)
		text += screen.Shorten(name, r.Width()-screen.Cells(text)-1) + ": "
	}
	lines := screen.Wrap(text+readable.Text(reason), r.Width(), "  ")
	lines[0] = r.Paint(headColours[head], head) + strings.TrimPrefix(lines[0], head)
	return lines
}

// Result prints what the worker did with an object.
func (r *Report) Result(result pipeline.Result) {
	o := result.Record.Source
	switch result.Outcome {
	case pipeline.Recorded:
		r.Print(r.summed(o, result.Record.Digests, result.Duration)...)
	case pipeline.Removed:
		line := fmt.Sprintf("%-32s  %10s  %8s  ", "record removed", "", "")
		if r.Width()-len(line) < shownName {
			line = "record removed  "
		}
		r.Print(line + screen.Shorten(readable.Name(o.Key), r.Width()-len(line)))
	}
}

// summed returns the lines of a file: the first checksum with the facts, and one line for
// each other checksum. On a narrow terminal the facts go before the name is cut. Where there
// is no room for the name, facts and name get the first line.
func (r *Report) summed(o pipeline.Object, digests map[string]string, took time.Duration) []string {
	label := 0
	if len(r.algorithms) > 1 {
		for _, alg := range r.algorithms {
			label = max(label, len(alg)+2)
		}
	}
	name := readable.Name(o.Key)
	wanted := min(screen.Cells(name), shownName)
	first := fmt.Sprintf("%-*s", label, r.algorithms[0])[:label] + digests[r.algorithms[0]]
	size, duration := fmt.Sprintf("  %10s", readable.Bytes(o.Size)), fmt.Sprintf("  %8s", readable.Duration(took))
	var lines []string
	line, room := "", 0
	for _, facts := range []string{size + duration, size, ""} {
		line = first + facts + "  "
		if room = r.Width() - len(line); room >= wanted {
			break
		}
	}
	if room >= wanted {
		lines = append(lines, line+screen.Shorten(name, room))
	} else {
		facts := strings.TrimSpace(size) + "  " + strings.TrimSpace(duration) + "  "
		lines = append(lines, facts+screen.Shorten(name, r.Width()-len(facts)), first)
	}
	for _, alg := range r.algorithms[1:] {
		lines = append(lines, fmt.Sprintf("%-*s", label, alg)+digests[alg])
	}
	return lines
}

// Summary prints what got no checksum and why, then the totals since the start and what is left.
func (r *Report) Summary(f *Failing, s *Skipped, left ...string) {
	for _, line := range s.lines() {
		r.Line("%s", line)
	}
	failures, mismatches := f.List()
	for i, e := range failures {
		if i == shownFailures {
			r.Line("and %d more, see above", len(failures)-shownFailures)
			break
		}
		r.Told(e.Head(), e.Key, e.Reason)
	}
	status := r.activity.Status()
	parts := []string{fmt.Sprintf("%s summed (%s) since the start %s ago",
		Count(status.Totals.Summed, "file"), readable.Bytes(status.Totals.Bytes), readable.Duration(time.Since(status.StartedAt)))}
	if n := status.Totals.Current; n > 0 {
		parts = append(parts, Thousands(n)+had(n))
	}
	if n := status.Totals.Removed; n > 0 {
		parts = append(parts, Count(n, "record")+" removed")
	}
	if mismatches > 0 {
		parts = append(parts, Thousands(int64(mismatches))+" NOT AS CLAIMED")
	}
	if n := len(failures) - mismatches; n > 0 {
		parts = append(parts, Thousands(int64(n))+" FAILED")
	}
	for _, part := range left {
		if part != "" {
			parts = append(parts, part)
		}
	}
	lines := screen.Wrap(strings.Join(parts, ", "), r.Width(), "  ")
	for i := range lines {
		for _, word := range []string{"NOT AS CLAIMED", "FAILED"} {
			lines[i] = strings.Replace(lines[i], word, r.Paint(screen.Red, word), 1)
		}
	}
	r.Print(lines...)
}

func had(n int64) string {
	if n == 1 {
		return " had its checksum"
	}
	return " had their checksum"
}

// Count returns a number with its noun, in the plural unless the number is 1.
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Thousands(n) + " " + noun + "s"
}

// Thousands returns a number with commas.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
