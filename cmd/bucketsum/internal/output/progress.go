package output

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

const (
	drawEvery = 200 * time.Millisecond
	tellEvery = 10 * time.Second
)

// ProgressOptions says how progress is shown.
type ProgressOptions struct {
	Quiet bool // not at all
	// Expected is what the pass will have looked at in the end. Without it, there is no bar and no estimate. Only the
	// sums of Objects and Bytes count.
	Expected sweep.Totals
	// Read returns how many bytes were read until now. Without it, they are counted when an object is done. Safe for
	// concurrent use.
	Read func() int64
}

// Progress shows how far a pass is: on a terminal as a bar, else as a line every ten seconds. It is a [Sink]. All
// methods are safe for concurrent use.
type Progress struct {
	pass Pass
	o    ProgressOptions
	out  io.Writer

	mu      sync.Mutex
	done    sweep.Totals
	resumed int64 // of share().done: what was done when the pass was resumed
	began   time.Time

	bars *mpb.Progress // nil: no terminal
	bar  *mpb.Bar
	stop chan struct{}
	told sync.WaitGroup
}

// StartProgress begins to show progress on w. Close ends that.
func StartProgress(w io.Writer, p Pass, o ProgressOptions) *Progress {
	s := &Progress{
		pass: p, o: o, out: w, done: sweep.Totals{Objects: make(map[sweep.State]int64)}, began: time.Now(), stop: make(chan struct{}),
	}
	switch {
	case o.Quiet:
	case isTerminal(w):
		s.startBar()
		s.told.Go(func() { s.every(drawEvery, s.move) })
	default:
		s.told.Go(func() { s.every(tellEvery, s.tell) })
	}
	return s
}

// every does something again and again until Close.
func (s *Progress) every(d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			do()
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

func (s *Progress) startBar() {
	s.bars = mpb.New(mpb.WithOutput(s.out), mpb.WithRefreshRate(drawEvery))
	facts := mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return s.facts() }))
	if s.share() == (share{}) {
		s.bar = s.bars.New(0, mpb.NopStyle(), facts, mpb.BarFillerTrim())
		return
	}
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─")
	s.bar = s.bars.New(s.share().of, style, facts, mpb.BarWidth(30), mpb.AppendDecorators(
		decor.Percentage(), decor.Any(func(decor.Statistics) string { return s.left() })))
}

// share is how much is done, in bytes if they are known, else in objects.
type share struct{ done, of int64 }

func (s *Progress) share() share {
	if s.o.Expected.Bytes > 0 {
		return share{s.done.Bytes, s.o.Expected.Bytes}
	}
	return share{sum(s.done), sum(s.o.Expected)}
}

func sum(t sweep.Totals) (objects int64) {
	for _, n := range t.Objects {
		objects += n
	}
	return objects
}

// Row counts a row.
func (s *Progress) Row(r sweep.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.Objects[r.State]++
	s.done.Read += r.Read
	if r.Size != nil && present(r.State) {
		s.done.Bytes += *r.Size
	}
	return nil
}

// Set replaces what is counted until now, for a pass whose rows come from elsewhere. The first call says what
// was done before.
func (s *Progress) Set(t sweep.Totals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := sum(s.done) == 0
	s.done = sweep.Totals{Objects: maps.Clone(t.Objects), Bytes: t.Bytes, Read: t.Read}
	if first {
		s.resumed = s.share().done
		s.began = time.Now()
	}
}

// move moves the bar. It stops short of the end, where the library would take it for complete: more objects than
// expected may come.
func (s *Progress) move() {
	s.mu.Lock()
	part := s.share()
	s.mu.Unlock()
	s.bar.SetCurrent(min(part.done, part.of-1)) // without the lock: the bar waits for its facts
}

// facts returns what is known as a line.
func (s *Progress) facts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := counted(sum(s.done), "object")
	if all := sum(s.o.Expected); all > 0 {
		objects = fmt.Sprintf("%d of %s", sum(s.done), counted(all, "object"))
	}
	read := s.done.Read
	if s.o.Read != nil {
		read = s.o.Read()
	}
	parts := []string{objects, readable.Bytes(s.done.Bytes)}
	if read > 0 {
		parts = append(parts, strings.TrimPrefix(rate(read, time.Since(s.began)), ", "))
	}
	var faults int64
	for state, n := range s.done.Objects {
		if w := s.pass.weigh(state); w == failed || w == unchecked {
			faults += n
		}
	}
	if faults > 0 {
		parts = append(parts, counted(faults, "fault"))
	}
	return strings.Join(parts, ", ")
}

// left returns an estimate of the time that the rest takes, if there is one.
func (s *Progress) left() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	part := s.share()
	rest, done := part.of-part.done, part.done-s.resumed
	if done <= 0 || rest <= 0 {
		return ""
	}
	left := time.Duration(float64(time.Since(s.began)) * float64(rest) / float64(done))
	return fmt.Sprintf(", about %s left", left.Round(time.Second))
}

func (s *Progress) tell() { fmt.Fprintf(s.out, "%s: %s%s\n", s.pass.Command, s.facts(), s.left()) }

// Above returns a writer for whole lines on the same terminal, which appear above the bar. Without a bar, or if w
// is no terminal, that is w.
func (s *Progress) Above(w io.Writer) io.Writer {
	if s.bars == nil || !isTerminal(w) {
		return w
	}
	return above{s.bars, w}
}

type above struct {
	bars     *mpb.Progress
	terminal io.Writer
}

// Fd is of the terminal, so that text for it is coloured.
func (a above) Fd() uintptr { return a.terminal.(interface{ Fd() uintptr }).Fd() }

func (a above) Write(lines []byte) (int, error) {
	if n, err := a.bars.Write(lines); err == nil {
		return n, nil
	}
	return a.terminal.Write(lines) // the bar has ended
}

// Close removes the bar.
func (s *Progress) Close(End) error {
	close(s.stop)
	s.told.Wait()
	if s.bars != nil {
		s.bar.Abort(true)
		s.bars.Wait()
	}
	return nil
}
