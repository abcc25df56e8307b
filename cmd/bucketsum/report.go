package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/pipeline"
)

// shownFailures bounds how many failures the summary repeats.
const shownFailures = 20

// report is what the local command tells its user: a line for each object, on
// a terminal how far those in work are, and a summary. Safe for concurrent use.
type report struct {
	out       io.Writer
	algorithm string // whose checksum a line shows
	terminal  bool

	mu       sync.Mutex
	inWork   map[*progress]struct{}
	drawn    bool          // the status line is on the screen
	wake     chan struct{} // holds an element when there is work to show
	started  time.Time
	summed   int
	bytes    int64
	current  int
	removed  int
	failed   int
	failures []string // the first shownFailures
}

func newReport(out io.Writer, algorithm string) *report {
	f, ok := out.(*os.File)
	return &report{
		out: out, algorithm: algorithm, started: time.Now(),
		terminal: ok && term.IsTerminal(int(f.Fd())),
		inWork:   make(map[*progress]struct{}), wake: make(chan struct{}, 1),
	}
}

// line prints a line; the status line, if there is one, stays below.
func (r *report) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// result counts what was done with an object and prints its line. It is a
// pipeline.Publisher.
func (r *report) result(_ context.Context, result pipeline.Result) error {
	o := result.Record.Source
	r.mu.Lock()
	switch result.Outcome {
	case pipeline.Recorded:
		r.summed++
		r.bytes += o.Size
	case pipeline.Current:
		r.current++
	case pipeline.Removed:
		r.removed++
	}
	r.mu.Unlock()
	switch result.Outcome {
	case pipeline.Recorded:
		r.line("%s  %10s  %8s  %s", result.Record.Digests[r.algorithm], byteCount(o.Size), shortDuration(result.Duration), printable(o.Key))
	case pipeline.Removed:
		r.line("%-*s  %10s  %8s  %s", len("d41d8cd98f00b204e9800998ecf8427e"), "record removed", "", "", printable(o.Key))
	}
	return nil
}

// hadRecord counts a file that the start found with its checksum.
func (r *report) hadRecord() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current++
}

// failure counts a file that got no checksum and says why.
func (r *report) failure(key, reason string) {
	text := fmt.Sprintf("FAILED  %s: %s", printable(key), printable(reason))
	r.mu.Lock()
	r.failed++
	if len(r.failures) < shownFailures {
		r.failures = append(r.failures, text)
	}
	r.mu.Unlock()
	r.line("%s", text)
}

// failedFiles returns how many files got no checksum.
func (r *report) failedFiles() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// summary prints what was done since the start.
func (r *report) summary() {
	r.mu.Lock()
	parts := []string{fmt.Sprintf("%s summed (%s) in %s", count(r.summed, "file"), byteCount(r.bytes), shortDuration(time.Since(r.started)))}
	if r.current > 0 {
		parts = append(parts, fmt.Sprintf("%d had their checksum", r.current))
	}
	if r.removed > 0 {
		parts = append(parts, fmt.Sprintf("%s removed", count(r.removed, "record")))
	}
	if r.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d FAILED", r.failed))
	}
	failures, failed := r.failures, r.failed
	r.mu.Unlock()
	r.line("%s", strings.Join(parts, ", "))
	for _, text := range failures {
		r.line("  %s", text)
	}
	if more := failed - len(failures); more > 0 {
		r.line("  and %d more, see above", more)
	}
}

// count returns a number with its noun, in the plural where that is right.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// byteCount returns a size as people read it.
func byteCount(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < 5 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

// shortDuration rounds to about three digits.
func shortDuration(d time.Duration) string {
	unit := time.Microsecond
	for unit < time.Second && d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

// printable returns a name as it can be shown on a terminal, where a control
// character could do anything.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}
