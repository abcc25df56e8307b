package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// refresh is how often the status line is drawn while there is work.
const refresh = 200 * time.Millisecond

// showProgress draws the status line of a terminal until ctx ends. It sleeps while no
// object is in work.
func (r *report) showProgress(ctx context.Context) error {
	if r.terminal == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if r.draw() {
			continue
		}
		tick.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-r.activity.Begun():
			tick.Reset(refresh)
		}
	}
}

// draw replaces the status line and reports whether any object is in work.
func (r *report) draw() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	s := r.activity.Status()
	if len(s.InWork) == 0 {
		return false
	}
	if time.Since(s.InWork[0].StartedAt) < refresh {
		return true // it may be done before the eye can see it
	}
	fmt.Fprint(r.out, statusLine(s.InWork[0], s.InWorkCount-1, r.width()-1))
	r.drawn = true
	return true
}

// clear erases the status line. The caller holds r.mu.
func (r *report) clear() {
	if r.drawn {
		fmt.Fprint(r.out, "\r\x1b[K")
		r.drawn = false
	}
}

// statusLine returns the progress of an object in at most so many cells of a terminal:
// a longer line would wrap, and clear could not erase it.
func statusLine(w live.Work, others, cells int) string {
	const barWidth = 20
	bar, share, more := "", "", ""
	if w.Size != nil && *w.Size > 0 {
		part := float64(min(w.Read, *w.Size)) / float64(*w.Size)
		done := int(part * barWidth)
		bar = strings.Repeat("━", done) + strings.Repeat("─", barWidth-done) + " "
		share = fmt.Sprintf("%3.0f %% of %s  ", 100*part, readable.Bytes(*w.Size))
	}
	if others > 0 {
		more = fmt.Sprintf(", %d more in work", others)
	}
	key := readable.Name(w.Key)
	const shortKey = 16 // the name gets so many cells before the bar gets any
	if runewidth.StringWidth(bar+share+more)+min(runewidth.StringWidth(key), shortKey) > cells {
		bar = ""
	}
	room := cells - runewidth.StringWidth(bar+share+more)
	if over := runewidth.StringWidth(key) - room; over > 0 {
		key = runewidth.TruncateLeft(key, over+1, "…") // the end of a key says more than its start
	}
	return runewidth.Truncate(bar+share+key+more, cells, "")
}
