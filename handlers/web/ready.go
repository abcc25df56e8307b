package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// readyFor is how long what a dependency said is believed, so that probes, of
	// which there may be many, cannot become its load, nor its bill where each
	// question is a request that is paid for.
	readyFor = 30 * time.Second
	// readyWait bounds how long a probe waits for an answer.
	readyWait = 3 * time.Second
)

var errNoAnswer = fmt.Errorf("no answer within %s", readyWait)

// Readiness tells whether a process can do its work: whether what it depends on
// can be reached, and that it has not been told to stop. Its methods are safe for
// concurrent use.
type Readiness struct {
	draining context.Context
	base     context.Context  // of checks
	needs    map[string]*need // by name
	running  sync.WaitGroup   // one for each check under way
	end      context.CancelFunc
}

// need is one thing that the process depends on.
type need struct {
	check func(context.Context) error
	ctx   context.Context // of checks

	mu      sync.Mutex
	answer  error
	at      time.Time     // of the answer; zero: there is none yet
	pending chan struct{} // closed at the end of the check under way; nil: none is
}

// NewReadiness returns the readiness of a process that drains from the end of ctx
// on, and that needs what the checks, by name, ask for. A check returns nil if its
// thing can be reached, else why not, as whoever asks may read. It is called when
// somebody asks, at most once in 30 s and one at a time, and its context ends after
// 3 s.
func NewReadiness(ctx context.Context, checks map[string]func(context.Context) error) *Readiness {
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	r := &Readiness{draining: ctx, base: base, needs: make(map[string]*need), end: end}
	for name, check := range checks {
		r.needs[name] = &need{check: check, ctx: base}
	}
	return r
}

// Close ends the checks that are under way and waits for them, but not for ever: a
// folder on a network that is gone does not heed its context.
func (r *Readiness) Close() {
	r.end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.running.Wait()
	}()
	late := time.NewTimer(lastAnswers)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
}

// Faults returns what keeps the process from its work, by the name of the check,
// or "draining"; nothing if it is ready. It waits for 3 s at most, or until ctx
// ends.
func (r *Readiness) Faults(ctx context.Context) map[string]string {
	faults := make(map[string]string)
	if r.draining.Err() != nil || r.base.Err() != nil {
		// Who drains needs nothing any more.
		faults["draining"] = "takes no more messages, and ends when what is in work is finished"
		return faults
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	for _, n := range r.needs {
		n.ask(&r.running)
	}
	for name, n := range r.needs {
		if err := n.wait(ctx); err != nil {
			faults[name] = err.Error()
		}
	}
	return faults
}

// ask starts a check unless one is under way or the last answer is still good.
func (n *need) ask(running *sync.WaitGroup) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending != nil || !n.at.IsZero() && time.Since(n.at) < readyFor {
		return
	}
	pending := make(chan struct{})
	n.pending = pending
	// It does not end with the probe that asked: others wait for the answer, too.
	running.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, readyWait)
		defer cancel()
		err := n.check(ctx)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = errNoAnswer
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.answer, n.at, n.pending = err, time.Now(), nil
		close(pending)
	})
}

// wait returns the answer once there is one that is good.
func (n *need) wait(ctx context.Context) error {
	n.mu.Lock()
	pending := n.pending
	n.mu.Unlock()
	if pending != nil {
		select {
		case <-pending:
		case <-ctx.Done():
			return errNoAnswer // the check does not heed its time, or the caller does not wait
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answer
}

// ready answers with what is missing, sorted by its name.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	faults := s.config.Ready.Faults(r.Context())
	if len(faults) == 0 {
		answer(w, http.StatusOK, readyAnswer{Status: "ready"})
		return
	}
	a := readyAnswer{Status: "not ready"}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		a.Reasons = append(a.Reasons, readyReason{name, faults[name]})
	}
	answer(w, http.StatusServiceUnavailable, a)
}

// readyAnswer is what GET /readyz answers.
type readyAnswer struct {
	Status  string        `json:"status"` // ready or not ready
	Reasons []readyReason `json:"reasons,omitempty"`
}

type readyReason struct {
	Name   string `json:"name"` // queue, bucket NAME or draining
	Reason string `json:"reason"`
}
