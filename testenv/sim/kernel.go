package sim

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// Limits of one run. A run that exceeds them never becomes quiet, which is a violation.
const (
	mostSteps = 60_000
	mostTime  = 30 * 24 * time.Hour

	tick = 1013 * time.Nanosecond // between two steps
)

var (
	errGone  = errors.New("the process is gone") // answers every call of a process that has crashed
	errEnded = errors.New("its context has ended")
)

// call is one request of a worker to a model. It waits in the kernel until the kernel answers.
type call struct {
	proc     *process
	op       string // such as "put"; with a prefix "queue." or "topic." for those
	key      string
	store    *store    // that is asked; nil: a queue or topic is
	delivery *delivery // that the work belongs to; nil: none
	writes   bool      // it changes something

	// apply does the work in the model and sets err. The kernel runs it, one at a time.
	apply func()
	// pending reports that the call cannot be answered yet, such as a receive from an empty queue,
	// and from when on it can. nil: it can be.
	pending func() (until time.Time, yes bool)
	err     error

	began   time.Time
	at      time.Time // when the request arrives
	applied bool
	ended   bool // its context has ended
	done    chan struct{}
}

// kernel decides what happens next. Its loop is the only goroutine that touches the models.
type kernel struct {
	profile Profile
	rng     *rand.Rand
	start   time.Time
	history history
	check   *checker
	counts  map[string]int // of faults, by kind

	mu      sync.Mutex
	arrived []*call       // since the last look, in no particular order
	wake    chan struct{} // has an element when a call has arrived or ended

	parked             []*call
	agenda             []action
	steps              int
	actions, processes int
	calm               bool // users are done, and faults are off
	closing            bool // the workers drain for the last time

	batch   []wording // events that wait to be sent together
	store   []*store
	queue   *queueModel
	workers []*process // the newest process of each worker
	users   *users
}

// action is something that happens at a time by itself, such as the end of an outage.
type action struct {
	at time.Time
	n  int // orders actions of one instant
	do func()
}

// later puts an action on the agenda.
func (k *kernel) later(d time.Duration, do func()) {
	k.actions++
	a := action{time.Now().Add(d), k.actions, do}
	i, _ := slices.BinarySearchFunc(k.agenda, a, func(x, y action) int { return cmp.Or(x.at.Compare(y.at), x.n-y.n) })
	k.agenda = slices.Insert(k.agenda, i, a)
}

// do parks the call until the kernel answers it, and returns its error. Workers call it.
func (k *kernel) do(ctx context.Context, c *call) error {
	if ctx.Err() != nil {
		return ctx.Err() // no client sends it
	}
	if c.proc.gone.Load() {
		return errGone
	}
	c.done = make(chan struct{})
	c.began = time.Now()
	k.mu.Lock()
	k.arrived = append(k.arrived, c)
	k.mu.Unlock()
	k.poke()
	select {
	case <-c.done:
	case <-ctx.Done():
		k.mu.Lock()
		c.ended = true
		k.mu.Unlock()
		k.poke()
		<-c.done
	}
	if c.err == errEnded {
		return ctx.Err()
	}
	return c.err
}

func (k *kernel) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run takes steps until the run is over: everything is quiet, or an invariant is violated.
func (k *kernel) run() {
	for !k.check.violated() {
		// No two steps happen at one instant: timers that are due at one instant fire in a random order.
		time.Sleep(tick)
		synctest.Wait() // every goroutine waits for the kernel or for time
		k.collect()
		k.buryTheExited()
		if k.steps++; k.steps > mostSteps || time.Since(k.start) > mostTime {
			k.check.violate(drains, "", "after %d steps and %s the queue is not empty", k.steps, time.Since(k.start).Round(time.Second))
			return
		}
		if len(k.agenda) > 0 && !k.agenda[0].at.After(time.Now()) {
			a := k.agenda[0]
			k.agenda = k.agenda[1:]
			a.do()
			continue
		}
		c, next := k.choose()
		switch {
		case c != nil:
			k.step(c)
		case !k.calm || !k.quiet():
			k.sleep(next)
		case !k.closing:
			k.check.final()
			k.close()
		case k.closed():
			return
		default:
			k.sleep(next)
		}
	}
}

// collect takes the calls that have arrived, in an order that does not depend on the scheduler,
// and draws when each reaches its model.
func (k *kernel) collect() {
	select {
	case <-k.wake: // what it says is seen now
	default:
	}
	k.mu.Lock()
	fresh := k.arrived
	k.arrived = nil
	k.mu.Unlock()
	slices.SortStableFunc(fresh, byIdentity)
	for _, c := range fresh {
		k.check.begins(c)
		c.at = c.began.Add(k.latency(c))
	}
	k.parked = append(k.parked, fresh...)
	if len(fresh) > 1 || len(k.parked) > len(fresh) {
		slices.SortStableFunc(k.parked, byIdentity)
	}
}

// byIdentity orders calls. Two calls of one process for one key and delivery are made one after the
// other, so no two are equal.
func byIdentity(a, b *call) int {
	return cmp.Or(cmp.Compare(a.proc.id, b.proc.id), cmp.Compare(a.op, b.op), cmp.Compare(a.key, b.key),
		cmp.Compare(a.delivery.name(), b.delivery.name()))
}

// choose returns the call that is answered next, or until when nothing can be.
func (k *kernel) choose() (*call, time.Time) {
	now := time.Now()
	var next time.Time
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if len(k.agenda) > 0 {
		soonest(k.agenda[0].at)
	}
	var ready []*call
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.parked {
		if c.proc.frozen {
			continue // its thaw is on the agenda
		}
		if c.ended {
			return c, now // the others wait: the answers have an order
		}
		if c.at.After(now) {
			soonest(c.at)
			continue
		}
		if c.pending != nil && !c.applied {
			if until, yes := c.pending(); yes {
				if !until.IsZero() {
					soonest(until)
				}
				continue
			}
		}
		ready = append(ready, c)
	}
	if len(ready) == 0 {
		return nil, next
	}
	return ready[k.rng.IntN(len(ready))], now
}

// step answers the call, with or without a fault.
func (k *kernel) step(c *call) {
	if c.ended {
		k.answerEnded(c)
		return
	}
	if k.profile.Killer && c.op == "open" && c.key == k.store[0].nameOf(k.users.keys[0]) {
		k.counts["killed by an object"]++
		k.crash(c.proc)
		return
	}
	if !k.calm && k.disturb(c) {
		return // something else happened; the call is still there, or its process is gone
	}
	k.apply(c)
	k.answer(c)
}

// apply does the call in its model unless a fault prevents that.
func (k *kernel) apply(c *call) {
	if c.applied {
		return
	}
	c.applied = true
	fault := ""
	if !k.calm {
		fault = k.fault(c)
	}
	switch fault {
	case "":
		c.apply()
		k.history.add(c, outcomeOf(c.err))
	case faultLost:
		c.apply()
		k.history.add(c, outcomeOf(c.err)+", answer lost")
		c.err = errFault(fault)
	case faultRefused:
		c.err = errRefused
		k.history.add(c, fault)
	default:
		c.err = errFault(fault)
		k.history.add(c, fault)
	}
	if fault != "" {
		k.counts[fault]++
	}
}

// answerEnded answers a call whose context has ended. Its request has happened or not: from now on
// nothing of it is under way.
func (k *kernel) answerEnded(c *call) {
	if !c.applied && c.writes && k.rng.IntN(2) == 0 {
		c.applied = true
		c.apply()
		k.history.add(c, outcomeOf(c.err)+", abandoned")
		k.counts["abandoned"]++
	}
	c.err = errEnded
	k.answer(c)
}

// answer lets the caller go on.
func (k *kernel) answer(c *call) {
	i := slices.Index(k.parked, c)
	k.parked = slices.Delete(k.parked, i, i+1)
	k.check.answered(c)
	close(c.done)
}

// sleep lets time pass until then, or until a worker does something.
func (k *kernel) sleep(until time.Time) {
	if until.IsZero() {
		until = time.Now().Add(time.Hour)
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-k.wake:
	case <-t.C:
	}
}

// quiet reports that nothing will happen any more by itself: no message is left, no user and no
// worker has anything to do.
func (k *kernel) quiet() bool {
	if len(k.agenda) > 0 || !k.queue.empty() {
		return false
	}
	working := func(p *process) bool { return !p.gone.Load() && p.working.Load() > 0 }
	return !slices.ContainsFunc(k.workers, working) &&
		!slices.ContainsFunc(k.parked, func(c *call) bool { return c.op != opReceive })
}

// calmDown begins the last phase: users are done, no more faults, every worker runs.
func (k *kernel) calmDown() {
	k.calm = true
	k.agenda = nil
	k.flush()
	k.history.note("calm", "", "users are done and faults are off")
	for _, p := range k.workers {
		k.thaw(p)
		if p.gone.Load() {
			k.startWorker(p.worker)
		}
	}
	k.queue.outage = false
	for _, s := range k.store {
		s.outage = false
	}
}

// close drains all workers.
func (k *kernel) close() {
	k.closing = true
	for _, p := range k.workers {
		p.stop()
	}
}

// closed reports whether all workers have ended.
func (k *kernel) closed() bool {
	return !slices.ContainsFunc(k.workers, func(p *process) bool { return !p.gone.Load() })
}

func outcomeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
