package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// refresh is how often the status line is drawn while there is work.
const refresh = 200 * time.Millisecond

// progress is how far one object is read.
type progress struct {
	key   string
	size  int64
	read  atomic.Int64
	since time.Time
}

// progressSource tells a report of what is read from a source.
type progressSource struct {
	pipeline.Source
	report *report
}

// Open implements pipeline.Source.
func (s progressSource) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	r, err := s.Source.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	p := &progress{key: o.Key, size: r.Object().Size, since: time.Now()}
	s.report.begin(p)
	return &progressReader{r, s.report, p}, nil
}

type progressReader struct {
	pipeline.Reader
	report   *report
	progress *progress
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.progress.read.Add(int64(n))
	return n, err
}

func (r *progressReader) Close() error {
	r.report.end(r.progress)
	return r.Reader.Close()
}

func (r *report) begin(p *progress) {
	r.mu.Lock()
	r.inWork[p] = struct{}{}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *report) end(p *progress) {
	r.mu.Lock()
	delete(r.inWork, p)
	r.mu.Unlock()
}

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
		case <-r.wake:
			tick.Reset(refresh)
		}
	}
}

// draw replaces the status line and reports whether there is anything in work.
func (r *report) draw() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	var oldest *progress
	for p := range r.inWork {
		if oldest == nil || p.since.Before(oldest.since) {
			oldest = p
		}
	}
	if oldest == nil {
		return false
	}
	if time.Since(oldest.since) < refresh {
		return true // not worth a look
	}
	read, more := oldest.read.Load(), ""
	if n := len(r.inWork) - 1; n > 0 {
		more = fmt.Sprintf(", %d more in work", n)
	}
	bar, share := "", ""
	if oldest.size > 0 {
		const width = 20
		done := int(min(read*width/oldest.size, width))
		bar = fmt.Sprintf("%s%s ", strings.Repeat("━", done), strings.Repeat("─", width-done))
		share = fmt.Sprintf("%3d %% of %s", min(read*100/oldest.size, 100), byteCount(oldest.size))
	}
	fmt.Fprintf(r.out, "%s%s  %s%s", bar, share, shortened(printable(oldest.key), 30), more)
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
