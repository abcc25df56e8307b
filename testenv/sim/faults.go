package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// The kinds of faults of requests.
const (
	faultFailed    = "connection failed"  // the request did not happen
	faultThrottled = "throttled"          // it did not happen
	faultLost      = "answer lost"        // it happened
	faultRefused   = "refused"            // a conditional write, though its condition holds: 409
	faultDenied    = "denied"             // an operator is changing permissions
	faultOutage    = "outage"             // the store or the queue is down
	faultTorn      = "torn body"          // the connection breaks in the middle of a body
	faultShort     = "short body"         // the body ends too early
	faultDamaged   = "damaged on its way" // a bit of a body flips
)

// errRefused is how drivers translate 409 ConditionalRequestConflict.
var errRefused = fmt.Errorf("another write to the key is under way: %w", pipeline.ErrChanged)

func errFault(kind string) error {
	err := errors.New(kind)
	if kind == faultDenied {
		return driver.Denied(err)
	}
	return err
}

// local reports whether the call is no request at all.
func (c *call) local() bool { return c.op == opBegin || c.op == opEnd }

// chance is true with a probability. It draws nothing if that is 0.
func (k *kernel) chance(p float64) bool { return p > 0 && k.rng.Float64() < p }

// pick returns one of several values.
func pick[T any](k *kernel, values ...T) T { return values[k.rng.IntN(len(values))] }

// fault draws what goes wrong with a call; empty: nothing.
func (k *kernel) fault(c *call) string {
	p := &k.profile
	switch {
	case c.local():
		return ""
	case c.store == nil && k.queue.outage, c.store != nil && c.store.outage:
		return faultOutage
	case c.op == opBody: // see spoil
		return ""
	case c.store == nil:
		if k.chance(p.QueueFaults) {
			return pick(k, faultFailed, faultThrottled, faultLost, faultLost)
		}
	case c.op == "put" && k.chance(p.Refusals):
		return faultRefused
	case k.chance(p.Denials):
		return faultDenied
	case k.chance(p.StoreFaults):
		return pick(k, faultFailed, faultThrottled, faultLost, faultLost)
	}
	return ""
}

// tornError ends a body after some bytes of a read.
type tornError struct {
	after int
	err   error
}

func (e *tornError) Error() string { return e.err.Error() }

// errShort is what a reader of HTTP sees when a body is shorter than announced.
var errShort = errors.New("unexpected EOF")

// spoil lets a read of a body fail in its middle, or changes what came.
func (k *kernel) spoil(r *body, p []byte) error {
	if k.calm {
		return nil
	}
	kind := ""
	switch {
	case k.chance(k.profile.Torn):
		kind = pick(k, faultTorn, faultShort)
	case k.profile.Damage > 0 && !r.version.parts && !k.profile.IgnoreClaims && k.chance(k.profile.Damage):
		// Two readings are never damaged alike: no reader could notice that.
		p[k.rng.IntN(len(p))] ^= byte(k.counts[faultDamaged]%255 + 1)
		k.counts[faultDamaged]++
		k.history.note(faultDamaged, r.bucket.store.nameOf(r.key), "")
		return nil
	default:
		return nil
	}
	k.counts[kind]++
	torn := &tornError{after: k.rng.IntN(len(p) + 1), err: errors.New(kind)}
	if kind == faultShort {
		torn.err = errShort
	}
	return torn
}

// latency draws how long a request takes to reach its model.
func (k *kernel) latency(c *call) time.Duration {
	p := &k.profile
	if k.calm {
		return time.Duration(k.rng.IntN(1000)) * time.Microsecond
	}
	if c.op == opReceive || c.local() {
		return 0
	}
	if c.op == opBody && p.SlowBody > 0 {
		return k.between(0, p.SlowBody)
	}
	switch x := k.rng.Float64(); {
	case x < p.Slow:
		k.counts["slow"]++
		return k.between(time.Second, p.Slowest)
	case x < 0.5:
		return 0
	default:
		return time.Duration(k.rng.Int64N(int64(p.Latency)))
	}
}

// disturb lets something else happen just before a call is answered. It reports whether it did.
func (k *kernel) disturb(c *call) bool {
	p := &k.profile
	switch x := k.rng.Float64(); {
	case x < p.Crash:
		k.crash(c.proc)
	case x < p.Crash+p.Freezes:
		k.freeze(c.proc)
	case x < p.Crash+p.Freezes+p.Drains:
		if c.proc.stopped {
			return false
		}
		k.drain(c.proc)
	case x < p.Crash+p.Freezes+p.Drains+p.Meddling && c.store != nil:
		if !k.users.meddle(c.store, c.key) {
			return false
		}
		if k.rng.IntN(2) == 0 { // long enough for another worker to handle the event of that
			c.at = time.Now().Add(k.between(0, p.Stall))
		}
	default:
		return false
	}
	return true
}

// planOutages puts outages of the stores and the queue on the agenda.
func (k *kernel) planOutages() {
	for range k.profile.Outages {
		began := k.between(0, k.profile.Span)
		lasts := k.between(time.Second, 5*time.Minute)
		set := func(down bool) { k.queue.outage = down }
		what := "queue"
		if k.rng.IntN(2) == 0 {
			s := pick(k, k.store...)
			set, what = func(down bool) { s.outage = down }, "store "+s.name
		}
		k.later(began, func() {
			set(true)
			k.counts["outages"]++
			k.history.note("outage", "", what+" for "+lasts.Round(time.Millisecond).String())
		})
		k.later(began+lasts, func() {
			set(false)
			k.history.note("outage ends", "", what)
		})
	}
}
