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
	// Now returns what is done until now, parts of objects included. Without it, the rows are counted. Safe for concurrent
	// use.
	Now   func() sweep.Totals
	Since time.Time // when the work began; zero: now
	Noun  string    // what is counted; empty: as the pass says
}

// Progress shows how far a pass is: on a terminal as a bar, else as a line every ten seconds. It is a [Sink]. All
// methods are safe for concurrent use.
type Progress struct {
	pass Pass
	o    ProgressOptions
	out  io.Writer

	mu      sync.Mutex
	done    sweep.Totals
	resumed sweep.Totals // what was done when the pass was resumed
	began   time.Time
	bar     *mpb.Bar

	bars *mpb.Progress // nil: no terminal
	stop chan struct{}
	told sync.WaitGroup
}

// StartProgress begins to show progress on w. Close ends that.
func StartProgress(w io.Writer, p Pass, o ProgressOptions) *Progress {
	s := &Progress{
		pass: p, o: o, out: w, done: sweep.Totals{Objects: make(map[sweep.State]int64)}, began: o.Since, stop: make(chan struct{}),
	}
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if s.o.Noun == "" {
		s.o.Noun = p.noun()
	}
	switch {
	case o.Quiet:
	case IsTerminal(w):
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

// IsTerminal reports whether w is a terminal that can show a bar.
func IsTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

func (s *Progress) startBar() {
	s.bars = mpb.New(mpb.WithOutput(s.out), mpb.WithRefreshRate(drawEvery))
	s.bar = s.newBar(s.o.Expected)
}

// newBar returns a bar, or only the facts if nothing is expected.
func (s *Progress) newBar(expected sweep.Totals) *mpb.Bar {
	facts := mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return s.facts() }))
	of := size(expected, expected)
	if of == 0 {
		return s.bars.New(0, mpb.NopStyle(), facts, mpb.BarFillerTrim())
	}
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─")
	return s.bars.New(of, style, facts, mpb.BarWidth(30), mpb.AppendDecorators(
		decor.Percentage(), decor.Any(func(decor.Statistics) string { return s.left() })))
}

// Wants reports whether an Expect would show more.
func (s *Progress) Wants() bool { return s.bars != nil }

// Expect says what the pass will have looked at in the end, as Expected does.
func (s *Progress) Expect(t sweep.Totals) {
	if s.bars == nil {
		return
	}
	bar := s.newBar(t) // without the lock: it waits for the facts
	s.mu.Lock()
	s.o.Expected = t
	old := s.bar
	s.bar = bar
	s.mu.Unlock()
	old.Abort(true)
}

// size returns how much totals are: bytes if these are expected, else objects.
func size(t, expected sweep.Totals) int64 {
	if expected.Bytes > 0 {
		return t.Bytes
	}
	return sum(t)
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
		s.resumed = s.done
		s.began = time.Now()
	}
}

// now returns what is done until now. The caller holds the lock.
func (s *Progress) now() sweep.Totals {
	if s.o.Now != nil {
		return s.o.Now()
	}
	return s.done
}

// move moves the bar. It stops short of the end, where the library would take it for complete: more objects than
// expected may come.
func (s *Progress) move() {
	s.mu.Lock()
	bar, done, of := s.bar, size(s.now(), s.o.Expected), size(s.o.Expected, s.o.Expected)
	s.mu.Unlock()
	bar.SetCurrent(min(done, of-1)) // without the lock: the bar waits for its facts
}

// facts returns what is known as a line.
func (s *Progress) facts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	objects := counted(sum(now), s.o.Noun)
	if all := sum(s.o.Expected); all > 0 {
		objects = fmt.Sprintf("%d of %s", sum(now), counted(all, s.o.Noun))
	}
	read := now.Read
	if s.o.Read != nil {
		read = s.o.Read()
	}
	parts := []string{objects, readable.Bytes(now.Bytes)}
	if read > 0 {
		parts = append(parts, strings.TrimPrefix(rate(read, time.Since(s.began)), ", "))
	}
	var faults int64
	for state, n := range now.Objects {
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
	expected, now := s.o.Expected, s.now()
	done := size(now, expected) - size(s.resumed, expected)
	rest := size(expected, expected) - size(now, expected)
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
	if s.bars == nil || !IsTerminal(w) {
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
