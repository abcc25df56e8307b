package report

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

const (
	// quick is how long a file that has a checkpoint may take to finish after a stop. Stopping it loses nothing.
	quick = time.Second
	// judged is how long a file must have been read before its speed is known.
	judged = 200 * time.Millisecond
	// unsaid is how long an end may take without a word.
	unsaid = 150 * time.Millisecond
)

// Ending decides what is finished when the command is told to end. The next start sums
// every file that has no checksum, so that only what finishes soon is worth a wait. Safe
// for concurrent use.
type Ending struct {
	Report  *Report
	Timeout time.Duration                // how long what is in work may take
	Resumes func(o pipeline.Object) bool // reports whether the reading of an object has checkpoints

	mu    sync.Mutex
	works map[*work]bool
}

// work is the handling of one message.
type work struct {
	stop context.CancelCauseFunc

	key     string            // guarded by Ending.mu, as what follows
	reading *pipeline.Reading // nil: nothing is read now
	opened  time.Time
	read    int64 // offset when it was stopped
	stopped bool
}

type workKey struct{}

// Begin gives the work on a message a context that ending can end.
func (e *Ending) Begin(ctx context.Context, _ pipeline.Delivery) context.Context {
	w := &work{}
	ctx, w.stop = context.WithCancelCause(ctx)
	e.mu.Lock()
	if e.works == nil {
		e.works = make(map[*work]bool)
	}
	e.works[w] = true
	e.mu.Unlock()
	return context.WithValue(ctx, workKey{}, w)
}

// Step notes the object that a work is about.
func (e *Ending) Step(ctx context.Context, _ pipeline.Step, o pipeline.Object) context.Context {
	if w, ok := ctx.Value(workKey{}).(*work); ok && o.Key != "" {
		e.mu.Lock()
		w.key = o.Key
		e.mu.Unlock()
	}
	return ctx
}

// Opened notes what a work reads.
func (e *Ending) Opened(r *pipeline.Reading) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.works {
		if w.key == r.Object.Key { // one message of an object is handled at a time
			w.reading, w.opened = r, time.Now()
		}
	}
}

// Closed notes that a work reads no longer.
func (e *Ending) Closed(r *pipeline.Reading) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.works {
		if w.reading == r {
			w.read, w.reading = r.Offset(), nil
		}
	}
}

// End forgets a work, and says where the next start resumes it if it was stopped.
func (e *Ending) End(ctx context.Context, d pipeline.Delivery) {
	w, ok := ctx.Value(workKey{}).(*work)
	if !ok {
		return
	}
	e.mu.Lock()
	delete(e.works, w)
	stopped, key, read := w.stopped && errors.Is(d.Err, pipeline.ErrDrainTimeout), w.key, w.read
	e.mu.Unlock()
	w.stop(nil)
	if !stopped || key == "" {
		return
	}
	i := slices.IndexFunc(d.Events, func(h pipeline.Handled) bool { return h.Event.Object.Key == key })
	if i < 0 || read == 0 {
		return
	}
	o := d.Events[i].Event.Object
	if e.Resumes(o) {
		e.Report.Told("STOPPED", key, "the next start resumes it at "+readable.Bytes(read)+" of "+readable.Bytes(o.Size))
	} else {
		e.Report.Told("STOPPED", key, "it would take longer than there is time; the next start reads it from its beginning")
	}
}

// Run ends the works that do not finish in time, from the stop until all work has ended.
func (e *Ending) Run(stop, ended context.Context) {
	select {
	case <-stop.Done():
	case <-ended.Done():
		return
	}
	began := time.Now()
	tick := time.NewTicker(judged / 4)
	defer tick.Stop()
	said := false
	for {
		left := e.Timeout - time.Since(began)
		waits := e.stopSlow(left)
		if took := time.Since(began); !said && waits > 0 && took > unsaid {
			said = true
			again := "a second signal stops now"
			if e.Report.Live() {
				again = "Ctrl-C again stops now"
			}
			e.Report.Line("finishing %s, up to %.0f s; %s", Count(int64(waits), "file"), left.Seconds(), again)
		}
		select {
		case <-ended.Done():
			return
		case <-tick.C:
		}
	}
}

// stopSlow stops the works that take longer than what is left, and returns how many others there are.
func (e *Ending) stopSlow(left time.Duration) (others int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.works {
		switch {
		case w.stopped:
		case w.tooSlow(left, e.Timeout, e.Resumes):
			w.stopped = true
			w.stop(pipeline.ErrDrainTimeout)
		default:
			others++
		}
	}
	return others
}

// tooSlow reports whether a work should not be waited for.
func (w *work) tooSlow(left, timeout time.Duration, resumes func(pipeline.Object) bool) bool {
	// The pipeline would report it as an error at the end of its time.
	if left < min(judged, timeout/4) {
		return true
	}
	if w.reading == nil || time.Since(w.opened) < judged {
		return false
	}
	o, offset := w.reading.Object, w.reading.Offset()
	if o.Size == pipeline.UnknownSize {
		return false
	}
	rate := float64(offset-w.reading.From) / time.Since(w.opened).Seconds()
	needs := time.Duration(float64(o.Size-offset) / max(rate, 1) * float64(time.Second))
	if resumes(o) {
		left = min(left, quick)
	}
	return needs < 0 || needs > left // below 0: beyond what a Duration holds
}

// KeyOf returns the key of the object that the work in a context is about.
func (e *Ending) KeyOf(ctx context.Context) string {
	w, ok := ctx.Value(workKey{}).(*work)
	if !ok {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return w.key
}
