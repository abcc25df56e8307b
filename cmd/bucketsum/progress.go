package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// refresh is how often the status line is drawn while there is work.
const refresh = 200 * time.Millisecond

// showProgress draws the status line of a terminal until ctx ends. It sleeps
// while nothing is in work.
func (r *report) showProgress(ctx context.Context) error {
	if !r.terminal {
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

// draw replaces the status line and reports whether there is anything in work.
func (r *report) draw() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	s := r.activity.Status()
	if len(s.InWork) == 0 {
		return false
	}
	oldest := s.InWork[0]
	if time.Since(oldest.StartedAt) < refresh {
		return true // not worth a look
	}
	bar, more := "", ""
	if oldest.Size != nil && *oldest.Size > 0 {
		const width = 20
		size := *oldest.Size
		read := min(oldest.Read, size)
		done := int(float64(read) / float64(size) * width)
		bar = fmt.Sprintf("%s%s %3.0f %% of %s", strings.Repeat("━", done), strings.Repeat("─", width-done),
			100*float64(read)/float64(size), byteCount(size))
	}
	if n := s.InWorkCount - 1; n > 0 {
		more = fmt.Sprintf(", %d more in work", n)
	}
	fmt.Fprintf(r.out, "%s  %s%s", bar, shortened(printable(oldest.Key), 30), more)
	r.drawn = true
	return true
}

// clear takes the status line away. The caller holds r.mu.
func (r *report) clear() {
	if r.drawn {
		fmt.Fprint(r.out, "\r\x1b[K")
		r.drawn = false
	}
}

// shortened returns the end of a long name, which tells more than its start.
func shortened(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return s
}
