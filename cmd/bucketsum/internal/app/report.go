package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// shownFailures is how many failures the summary repeats at most.
const shownFailures = 20

// report prints a line for each object, a summary and, on a terminal, the progress of
// the objects in work. Safe for concurrent use.
type report struct {
	out       io.Writer
	terminal  *os.File // out if it is a terminal; else nil
	algorithm string   // of the checksums in lines
	activity  *live.Activity

	mu    sync.Mutex
	drawn bool // the status line is on the screen
}

func newReport(out io.Writer, algorithm string, activity *live.Activity) *report {
	r := &report{out: out, algorithm: algorithm, activity: activity}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		r.terminal = f
	}
	return r
}

// width returns the width of the terminal in cells.
func (r *report) width() int {
	width, _, err := term.GetSize(int(r.terminal.Fd()))
	if err != nil || width < 2 {
		return 80
	}
	return width
}

// line prints a line above the status line, which the next tick draws again.
func (r *report) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// result prints what the worker did with an object.
func (r *report) result(_ context.Context, result pipeline.Result, _ error) {
	o, value := result.Record.Source, result.Record.Digests[r.algorithm]
	switch result.Outcome {
	case pipeline.Recorded:
		r.line("%s  %10s  %8s  %s", value, readable.Bytes(o.Size), readable.Duration(result.Duration), readable.Name(o.Key))
	case pipeline.Mismatch:
		r.line("MISMATCH  %s: %s", readable.Name(o.Key), readable.Name(result.Reason))
	case pipeline.Removed:
		r.line("%-32s  %10s  %8s  %s", "record removed", "", "", readable.Name(o.Key))
	}
}

// failure prints why a file got no checksum.
func (r *report) failure(key, reason string) {
	r.line("FAILED  %s: %s", readable.Name(key), readable.Name(reason))
}

// summary prints the totals since the start, and what waits if that is not empty.
func (r *report) summary(waits string) {
	s := r.activity.Status()
	parts := []string{fmt.Sprintf("%s summed (%s) in %s",
		count(s.Totals.Summed, "file"), readable.Bytes(s.Totals.Bytes), readable.Duration(time.Since(s.StartedAt)))}
	if n := s.Totals.Current; n > 0 {
		parts = append(parts, fmt.Sprintf("%d had their checksum", n))
	}
	if n := s.Totals.Removed; n > 0 {
		parts = append(parts, count(n, "record")+" removed")
	}
	if n := s.Totals.Mismatched; n > 0 {
		parts = append(parts, fmt.Sprintf("%d NOT AS CLAIMED", n))
	}
	if n := s.Totals.Failed; n > 0 {
		parts = append(parts, fmt.Sprintf("%d FAILED", n))
	}
	if waits != "" {
		parts = append(parts, waits)
	}
	r.line("%s", strings.Join(parts, ", "))
	shown := int64(0)
	for _, f := range s.Failures {
		if f.Final && shown < shownFailures {
			r.failure(f.Key, f.Reason)
			shown++
		}
	}
	if more := s.Totals.Failed - shown; shown == shownFailures && more > 0 {
		r.line("and %d more, see above", more)
	}
}

// count returns a number with its noun, in the plural unless the number is 1.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}
