package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/report"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/screen"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

const (
	refresh = 200 * time.Millisecond // how often the status line is drawn while there is work
	moment  = time.Second            // how long the first look at a folder may take without a word
	few     = 20                     // files that wait, perhaps because they failed, are not worth a word
)

// showProgress draws the status line of a terminal until ctx ends. It sleeps while there
// is nothing to do.
func (l *local) showProgress(ctx context.Context) {
	defer l.report.Status("")
	if !l.report.Live() {
		return
	}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		line, busy := l.status()
		l.report.Status(line)
		if busy {
			continue
		}
		tick.Stop()
		select {
		case <-ctx.Done():
			return
		case <-l.activity.Begun():
			tick.Reset(refresh)
		}
	}
}

// status returns the status line, and whether there is anything to do.
func (l *local) status() (line string, busy bool) {
	cells := l.report.Width() - 1
	if !isClosed(l.folder.Ready()) {
		return runewidth.Truncate(fmt.Sprintf("looking at the files: %s so far", report.Thousands(int64(l.folder.Progress().Found))), cells, ""), true
	}
	s, waiting := l.activity.Status(), l.unhandled()
	waiting = max(waiting-s.InWorkCount, 0) // those in work keep their place
	switch {
	case s.InWorkCount > 0 && time.Since(s.InWork[0].StartedAt) >= refresh: // else it may be done before the eye can see it
		return statusLine(s.InWork[0], s.InWorkCount-1, waiting, cells), true
	case waiting > 0:
		done := s.Totals.Summed + s.Totals.Current
		return runewidth.Truncate(fmt.Sprintf("%s done, %s wait", report.Thousands(done), report.Thousands(int64(waiting))), cells, ""), true
	}
	return "", s.InWorkCount > 0
}

// tellStart says how many files are there at the start, if that takes longer than a
// moment, and when all of them have been looked at.
func (l *local) tellStart(ctx context.Context) {
	began := time.Now()
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	looks, told := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ready, found := isClosed(l.folder.Ready()), int64(l.folder.Progress().Found)
		switch {
		case ready && l.unhandled() == 0:
			if told {
				l.report.Line("done with the files that were there, in %s; new ones are summed when they appear", readable.Duration(time.Since(began)))
			}
			return
		case time.Since(began) < moment:
		case !ready && !looks:
			l.report.Line("looking at the files …")
			looks = true
		case ready && !told && (l.unhandled() > few || l.activity.Status().InWorkCount > 0):
			l.report.Line("%s there; what has no current checksum is summed now", is(found, "file"))
			told = true
		}
	}
}

// is returns a number with its noun and verb.
func is(n int64, noun string) string {
	if n == 1 {
		return report.Count(n, noun) + " is"
	}
	return report.Count(n, noun) + " are"
}

// isClosed reports whether a channel is closed to which nothing is sent.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// statusLine returns the progress of an object in at most so many cells of a terminal:
// a longer line would wrap, and could not be erased.
func statusLine(w live.Work, others, waiting, cells int) string {
	const barWidth = 20
	bar, share, more := "", "", ""
	if w.Size != nil && *w.Size > 0 {
		part := float64(min(w.Read, *w.Size)) / float64(*w.Size)
		done := int(part * barWidth)
		bar = strings.Repeat("━", done) + strings.Repeat("─", barWidth-done) + " "
		share = fmt.Sprintf("%3.0f %% of %s  ", 100*part, readable.Bytes(*w.Size))
	}
	if others > 0 {
		more = fmt.Sprintf(", %s more in work", report.Thousands(int64(others)))
	}
	if waiting > 0 {
		more += fmt.Sprintf(", %s wait", report.Thousands(int64(waiting)))
	}
	key := readable.Name(w.Key)
	const shortKey = 16 // the name gets so many cells before the bar gets any
	if screen.Cells(bar+share+more)+min(screen.Cells(key), shortKey) > cells {
		bar = ""
	}
	key = screen.Shorten(key, cells-screen.Cells(bar+share+more))
	return runewidth.Truncate(bar+share+key+more, cells, "")
}
