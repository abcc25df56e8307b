package md5sum

import (
	"context"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// barAfter is how long work takes before it gets a bar.
const barAfter = 2 * time.Second

// progress shows on a terminal how far the work is. A nil progress shows nothing. Safe for concurrent use.
type progress struct {
	std   Streams
	began time.Time
	end   context.CancelFunc

	read          atomic.Int64 // bytes
	files, faults atomic.Int64

	mu    sync.Mutex       // held while anything is printed, so that the bar begins between lines
	bar   *output.Progress // nil before and after it is shown
	ended bool
}

// startProgress returns nil if the work must not have a bar: standard error is no terminal, the user wants silence, types
// the content, or wants an output without lines. total computes what there is to do; it is called only if there is a bar.
func startProgress(ctx context.Context, std Streams, o *Options, names []string, total func(context.Context) (sweep.Totals, bool)) *progress {
	typed := slices.Contains(names, "-") && output.IsTerminal(std.In)
	if !output.IsTerminal(std.Err) || o.Quiet || o.Status || typed || (o.Zero || o.Raw) && output.IsTerminal(std.Out) {
		return nil
	}
	p := &progress{std: std, began: time.Now()}
	ctx, p.end = context.WithCancel(ctx)
	// stop does not wait for it, because it may hang in a dead mount.
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(barAfter):
		}
		if p.show() {
			if all, ok := total(ctx); ok {
				p.expect(all)
			}
		}
	}()
	return p
}

// show begins the bar, unless the work has ended.
func (p *progress) show() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.bar = output.StartProgress(p.std.Err, output.Pass{Command: "sum"}, output.ProgressOptions{Now: p.now, Since: p.began, Noun: "file"})
	}
	return !p.ended
}

func (p *progress) expect(all sweep.Totals) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Expect(all)
	}
}

func (p *progress) now() sweep.Totals {
	read, faults := p.read.Load(), p.faults.Load()
	return sweep.Totals{
		Objects: map[sweep.State]int64{sweep.OK: p.files.Load() - faults, sweep.Unreadable: faults},
		Bytes:   read, Read: read,
	}
}

// stop removes the bar.
func (p *progress) stop() {
	if p == nil {
		return
	}
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.bar != nil {
		_ = p.bar.Close(output.End{}) // it never fails
		p.bar = nil
	}
}

// streams returns the streams for lines, which appear above the bar.
func (p *progress) streams(std Streams) Streams {
	if p != nil {
		std.Out, std.Err = above{p, std.Out}, above{p, std.Err}
	}
	return std
}

type above struct {
	p *progress
	w io.Writer
}

func (a above) Write(lines []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if a.p.bar != nil {
		return a.p.bar.Above(a.w).Write(lines)
	}
	return a.w.Write(lines)
}

// done counts a file.
func (p *progress) done(err error) {
	if p == nil {
		return
	}
	p.files.Add(1)
	if err != nil {
		p.faults.Add(1)
	}
}

// counted returns a reader whose bytes are counted.
func (p *progress) counted(r io.ReadCloser) io.ReadCloser {
	if p == nil {
		return r
	}
	return counting{r, &p.read}
}

type counting struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c counting) ReadNow(b []byte) (int, error) {
	n, err := digest.ReadNow(c.ReadCloser, b)
	c.n.Add(int64(n))
	return n, err
}

// total returns what there is to read, if all of it is in files.
func (r *reader) total(ctx context.Context, names []string) (all sweep.Totals, known bool) {
	var files int64
	for _, name := range names {
		if o, err := r.schemes.parse(name); err == nil && o.bucket != "" {
			return all, false // another listing would cost requests
		}
		for o, err := range r.expand(ctx, name) {
			if ctx.Err() != nil {
				return all, false
			}
			files++
			if err != nil {
				continue
			}
			info, err := os.Stat(r.path(o))
			switch {
			case o.isStream() || err == nil && !info.Mode().IsRegular() && !info.IsDir():
				return all, false
			case err == nil && info.Mode().IsRegular():
				all.Bytes += info.Size()
			}
		}
	}
	all.Objects = map[sweep.State]int64{sweep.OK: files}
	return all, true
}
