package folders

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Run replays a history in a new folder below base, and returns the first violation; nil if all invariants hold. An
// error means that the simulator itself failed. Histories may run side by side.
func Run(base string, h History, w Worker) (v *Violation, err error) {
	return replay(base, h, w, patience)
}

func replay(base string, h History, w Worker, patience time.Duration) (v *Violation, err error) {
	top, err := os.MkdirTemp(base, "folders")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(top)
	u := newUsers(filepath.Join(top, "bucket"), filepath.Join(top, "outside"))
	if err := os.Mkdir(u.dir, 0o700); err != nil {
		return nil, err
	}
	if err := u.makeCanary(); err != nil {
		return nil, err
	}
	r := &run{history: h, worker: w, users: u, patience: patience}
	r.start(0)
	defer func() {
		if r.process != nil {
			_ = r.process.end() // a violation or an error was found before
		}
	}()
	for i, o := range h.Ops {
		if v, err := r.take(i, o); v != nil || err != nil {
			return v, err
		}
	}
	r.start(len(h.Ops))
	if v := r.quiet(); v != nil {
		return v, nil
	}
	return r.end(), nil
}

// run is a history that is being replayed.
type run struct {
	history  History
	worker   Worker
	users    *users
	patience time.Duration
	process  *process // nil: the worker is down
}

// start starts the worker if it is down. How it ends is decided here: its next end in the history says so.
func (r *run) start(i int) {
	if r.process != nil {
		return
	}
	drain := 30 * time.Second
	for _, o := range r.history.Ops[i:] {
		if o.Do == "kill" {
			drain = time.Nanosecond
		}
		if o.Do == "kill" || o.Do == "stop" {
			break
		}
	}
	r.process = start(r.worker, r.users.dir, r.history.Concurrency, drain)
}

// end ends the worker if it is up.
func (r *run) end() *Violation {
	p := r.process
	if p == nil {
		return nil
	}
	r.process = nil
	select {
	case <-p.exited:
		return violation(settles, "", "the worker ended by itself: %v", p.err)
	default:
	}
	if err := p.end(); err != nil {
		return violation(settles, "", "the worker did not end well: %v", err)
	}
	return nil
}

// take takes one step of the history.
func (r *run) take(i int, o Op) (v *Violation, err error) {
	do := func() error {
		switch o.Do {
		case "start":
			r.start(i)
		case "quiet":
			v = r.quiet()
		case "stop":
			v = r.end()
		case "kill":
			if r.process != nil {
				r.process.stop()
			}
		default:
			if _, err := r.users.do(o); err != nil {
				return fmt.Errorf("%s: %w", o, err)
			}
		}
		return nil
	}
	if p := r.process; o.At != "" && p != nil {
		err = p.at(o.At, do)
	} else {
		err = do()
	}
	if o.Do == "kill" && r.process != nil {
		p := r.process
		r.process = nil
		_ = p.end() // it had no time to end well
	}
	if v == nil && err == nil {
		v = r.users.checkRecords()
	}
	return v, err
}

// quiet waits until the worker, if it is up, has nothing left to do, and checks the folder.
func (r *run) quiet() *Violation {
	if r.process == nil {
		return nil
	}
	var deadline time.Time
	for {
		if err := r.process.quiet(); err != nil {
			return violation(settles, "", "%v", err)
		}
		v := r.users.check(r.process)
		if deadline.IsZero() {
			deadline = time.Now().Add(r.patience)
		}
		if v == nil || time.Now().After(deadline) {
			return v
		}
	}
}

// Shrink drops operations from a history as long as the same invariant is violated, and returns what is left.
func Shrink(base string, h History, v *Violation, w Worker) (History, *Violation) {
	deadline := time.Now().Add(2 * time.Minute) // a history that still fails takes as long as a worker's retries
	for again := true; again; {
		again = false
		for i := len(h.Ops) - 1; i >= 0 && time.Now().Before(deadline); i-- {
			shorter := h
			shorter.Ops = slices.Delete(slices.Clone(h.Ops), i, i+1)
			found, err := replay(base, shorter, w, impatience)
			if err == nil && found != nil && found.Invariant == v.Invariant {
				h, v, again = shorter, found, true
			}
		}
	}
	return h, v
}
