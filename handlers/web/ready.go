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
	// readyFor is how long an answer of a dependency is valid, so that many probes neither load it
	// nor cause costs where each request is billed.
	readyFor = 30 * time.Second
	// readyWait is how long a probe waits for an answer.
	readyWait = 3 * time.Second
	// firstWait is how long the page waits for the first answer.
	firstWait = 200 * time.Millisecond
)

// Draining is the name of the fault of a process that ends.
const Draining = "draining"

var errNoAnswer = fmt.Errorf("no answer within %s", readyWait)

// Readiness reports whether a process can do its work: it can reach its dependencies, and it is not
// draining. Its methods are safe for concurrent use.
type Readiness struct {
	draining context.Context
	base     context.Context  // of checks
	needs    map[string]*need // by name
	running  sync.WaitGroup   // the checks in progress
	end      context.CancelFunc
}

// need is a dependency of the process.
type need struct {
	check func(context.Context) error

	mu      sync.Mutex
	answer  error
	at      time.Time     // of the answer; zero: there is none yet
	pending chan struct{} // closed at the end of the check in progress; nil: there is none
}

// NewReadiness returns the readiness of a process that drains after the end of ctx, with its checks by name. A
// check returns nil if its dependency can be reached, else the reason, which clients may read. A check runs on
// request, at most once in 30 s and one at a time; its context ends after 3 s.
func NewReadiness(ctx context.Context, checks map[string]func(context.Context) error) *Readiness {
	base, end := context.WithCancel(context.WithoutCancel(ctx))
	r := &Readiness{draining: ctx, base: base, needs: make(map[string]*need), end: end}
	for name, check := range checks {
		r.needs[name] = &need{check: check}
	}
	return r
}

// Close ends the checks in progress and waits for them, at most for a second: a folder on an unreachable network
// ignores its context.
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

// Faults returns why the process cannot do its work, by the name of the check or "draining". It returns an empty
// map if the process is ready. It waits for 3 s at most, or until ctx ends.
func (r *Readiness) Faults(ctx context.Context) map[string]string {
	if r.drains() {
		return drainFault()
	}
	faults := make(map[string]string)
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	for _, n := range r.needs {
		r.ask(n)
	}
	for name, n := range r.needs {
		if err := n.wait(ctx); err != nil {
			faults[name] = err.Error()
		}
	}
	return faults
}

// Last returns the faults as the last answers have them, without waiting for newer ones. It starts the checks that
// Faults would wait for. For the first answers it waits a moment.
func (r *Readiness) Last() map[string]string {
	if r.drains() {
		return drainFault()
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstWait)
	defer cancel()
	for _, n := range r.needs {
		r.ask(n)
	}
	faults := make(map[string]string)
	for name, n := range r.needs {
		if fault := n.last(ctx); fault != nil {
			faults[name] = fault.Error()
		}
	}
	return faults
}

// last returns the last answer, or nil if there is none before ctx ends.
func (n *need) last(ctx context.Context) error {
	n.mu.Lock()
	first, pending := n.at.IsZero(), n.pending
	n.mu.Unlock()
	if first && pending != nil {
		select {
		case <-pending:
		case <-ctx.Done():
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answer
}

// drains reports whether the process no longer depends on anything.
func (r *Readiness) drains() bool { return r.draining.Err() != nil || r.base.Err() != nil }

func drainFault() map[string]string {
	return map[string]string{Draining: "takes no more messages, and ends when the messages in work are finished"}
}

// ask starts a check unless one is in progress or the last answer is still valid.
func (r *Readiness) ask(n *need) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending != nil || !n.at.IsZero() && time.Since(n.at) < readyFor {
		return
	}
	pending := make(chan struct{})
	n.pending = pending
	// The check outlives the probe that started it: other probes wait for it, too.
	r.running.Go(func() {
		ctx, cancel := context.WithTimeout(r.base, readyWait)
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

// wait waits for the check in progress and returns the answer.
func (n *need) wait(ctx context.Context) error {
	n.mu.Lock()
	pending := n.pending
	n.mu.Unlock()
	if pending != nil {
		select {
		case <-pending:
		case <-ctx.Done():
			return errNoAnswer // the check ignores its deadline, or the caller does not wait
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answer
}

// ready answers with the faults, sorted by name.
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

// readyAnswer is the answer of GET /readyz.
type readyAnswer struct {
	Status  string        `json:"status"` // ready or not ready
	Reasons []readyReason `json:"reasons,omitempty"`
}

type readyReason struct {
	Name   string `json:"name"` // queue, bucket NAME or draining
	Reason string `json:"reason"`
}
