package sqstest

import (
	"errors"
	"net/http"
	"slices"
	"time"
)

// Fault makes calls to the server fail from the moment it is injected.
type Fault struct {
	// Action is the action that fails, as in "DeleteMessageBatch". "": every action.
	Action string
	// Code and Status are those of the answer. Default InternalFailure, 500.
	Code   string
	Status int
	// For is how long the fault lasts, Times how many calls it fails. Zero: without
	// that limit.
	For   time.Duration
	Times int
	// Entries, if not 0, is how many entries of a batch fail, from the first one; the
	// call succeeds.
	Entries int
	// Silent leaves the call without an answer until its caller gives up.
	Silent bool

	until time.Time
}

// errSilent is the error of a call that gets no answer.
var errSilent = errors.New("no answer")

// Throttling is the fault of a caller that makes too many calls.
func Throttling(d time.Duration) Fault {
	return Fault{Code: "RequestThrottled", Status: http.StatusBadRequest, For: d}
}

// Inject makes the server fail.
func (s *Server) Inject(f Fault) {
	if f.Code == "" {
		f.Code = "InternalFailure"
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	if f.For > 0 {
		f.until = time.Now().Add(f.For)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	s.wake() // a waiting receive fails too
}

// Redeliver makes up to n messages of a queue, the newest ones, visible that would stay hidden for longer
// than hidden, and returns how many. They are delivered again although their receivers
// hold them: SQS promises at least one delivery, and no receiver an exclusive one.
func (s *Server) Redeliver(queueName string, hidden time.Duration, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[queueName]
	if q == nil {
		return 0
	}
	now, shown := time.Now(), 0
	for _, m := range slices.Backward(q.messages) { // the oldest may be hard enough to finish
		if shown < n && m.visibleAt.Sub(now) > hidden {
			m.visibleAt = now
			shown++
		}
	}
	if shown > 0 {
		s.wake()
	}
	return shown
}

// Heal ends every fault.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns the fault of a call now, and counts the call. The caller holds
// s.mu.
func (s *Server) fault(action string, now time.Time, entries bool) *Fault {
	for i, f := range s.faults {
		if f.Action != "" && f.Action != action || (f.Entries > 0) != entries {
			continue
		}
		if !f.until.IsZero() && !now.Before(f.until) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f
	}
	return nil
}

func (s *Server) faultOf(action string, now time.Time) error {
	if f := s.fault(action, now, false); f != nil {
		if f.Silent {
			return errSilent
		}
		return &apiError{Code: f.Code, Message: "injected", Status: f.Status}
	}
	return nil
}

// entryFaults returns how many entries of a batch fail, and their error.
func (s *Server) entryFaults(action string) (n int, err error) {
	if f := s.fault(action, time.Now(), true); f != nil {
		return f.Entries, &apiError{Code: f.Code, Message: "injected", Status: f.Status}
	}
	return 0, nil
}
