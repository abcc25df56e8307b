package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// The invariants by name. docs/reliability.md says what each means to a user.
const (
	neverWrong       = "never-wrong"
	recordedOrDead   = "recorded-or-dead-lettered"
	noOrphan         = "no-record-without-object"
	noRecordOfRecord = "no-record-of-a-record"
	announced        = "announced-at-least-once"
	leaseExclusive   = "lease-exclusive-or-harmless"
	newerStays       = "newer-record-stays"
	insideBuckets    = "nothing-outside-the-buckets"
	filesOfUsers     = "files-of-users-stay"
	ackedWhenProven  = "acked-when-proven"
	drains           = "drains" // every message leaves the queue, every worker ends when told
)

// harmless is how long the work of a delivery may go on to write after its lease is lost. A request that began
// before is not counted.
const harmless = 5 * time.Second

// Violation is an invariant that does not hold.
type Violation struct {
	Invariant string
	Key       string // with its bucket; empty: it concerns no single key
	Text      string // a sentence
}

// checker checks the invariants: some at each step, the others when everything is quiet.
type checker struct {
	kernel *kernel
	found  *Violation
}

func (c *checker) violated() bool { return c.found != nil }

// violate ends the run. The first violation counts.
func (c *checker) violate(invariant, key, format string, args ...any) {
	if c.found == nil {
		c.found = &Violation{invariant, key, fmt.Sprintf(format, args...)}
		c.kernel.history.note("VIOLATION", key, invariant+": "+c.found.Text)
	}
}

// begins looks at a call when its worker makes it.
func (c *checker) begins(r *call) {
	d := r.delivery
	switch {
	case d == nil || !r.writes:
	case r.op == opExtend:
		d.asked = r.began
	case r.op == opAck || r.op == opNack:
		d.settling = true
	default:
		lost := d.lost
		if lost.IsZero() && r.began.After(d.until) {
			lost = d.until
		}
		if !lost.IsZero() && lost.Before(r.proc.thawed) {
			lost = r.proc.thawed // a frozen worker knows nothing
		}
		if after := r.began.Sub(lost); !lost.IsZero() && after > harmless {
			c.violate(leaseExclusive, r.key, "%s begins a %s for %s, %s after it knew or could know that the lease was lost",
				r.proc.name, r.op, d.label, after.Round(time.Millisecond))
		}
	}
}

// answered looks at a call when its worker learns the answer.
func (c *checker) answered(r *call) {
	d := r.delivery
	if d == nil {
		return
	}
	switch r.op {
	case opExtend:
		if r.err == nil {
			d.until = d.asked.Add(c.kernel.queue.visibility)
		}
	case opAck, opNack:
	default:
		return
	}
	if errors.Is(r.err, pipeline.ErrLeaseLost) && d.lost.IsZero() {
		d.lost = time.Now()
	}
}

// puts looks at what a worker writes to a store.
func (c *checker) puts(p *process, d *delivery, s *store, key string, v *version) {
	if strings.HasPrefix(key, driver.Checkpoints) {
		if s.names[key] == "" {
			c.violate(insideBuckets, s.nameOf(key), "%s writes a checkpoint of an object that users never had", p.name)
		}
		return
	}
	name := s.nameOf(key)
	object, algorithm, ok := layout.ObjectKey(key)
	if !ok {
		c.violate(insideBuckets, name, "%s writes something that is neither a record nor a checkpoint", p.name)
		return
	}
	if layout.IsRecord(object) {
		c.violate(noRecordOfRecord, name, "%s writes a record of %q", p.name, object)
	}
	if d != nil && d.read[name] == nil {
		delete(d.read, name) // it no longer knows that there is none
	}
	old := s.current(key)
	if old != nil && !old.ours() && !bytes.Equal(old.data, v.data) { // the same text means that it is adopted
		c.violate(filesOfUsers, name, "%s overwrites a file that it did not write", p.name)
	}
	if !v.ours() || v.metadata["source-key"] != object {
		c.violate(insideBuckets, name, "%s writes a record without its mark and key: %v", p.name, v.metadata)
		return
	}
	named := s.source(object, v)
	if !slices.ContainsFunc(named, func(w *version) bool {
		return w.sum(algorithm) == valueOf(v.data) && strconv.Itoa(len(w.data)) == v.metadata["source-size"]
	}) {
		c.violate(neverWrong, name, "%s records %s %s of version %q, etag %.12s, which never had that content", p.name, algorithm,
			valueOf(v.data), v.metadata["source-version-id"], v.metadata["source-etag"])
		return
	}
	if old != nil && old.ours() && !d.mistakes(s, key, old) {
		c.replaces(p, s, object, name, s.source(object, old), named)
	}
}

// source returns the versions of an object that a record names.
func (s *store) source(object string, record *version) []*version {
	return s.at(object).named(record.metadata["source-version-id"], record.metadata["source-etag"])
}

// replaces checks that a record does not take the place of that of a newer version, unless the older version was
// current again after the newer one was written.
func (c *checker) replaces(p *process, s *store, object, name string, before, after []*version) {
	if len(before) == 0 || len(after) == 0 {
		return
	}
	states := s.at(object).states
	written := slices.Index(states, before[0])
	again := -1
	for i, state := range states {
		if state != nil && slices.Contains(after, state) {
			again = i
		}
	}
	if again < written {
		c.violate(newerStays, name, "%s replaces the record of a newer version by that of an older one", p.name)
	}
}

// deletes looks at what a worker deletes.
func (c *checker) deletes(p *process, s *store, key string, now *version) {
	if strings.HasPrefix(key, driver.Checkpoints) && s.names[key] != "" || now == nil {
		return
	}
	if _, _, ok := layout.ObjectKey(key); !ok {
		c.violate(insideBuckets, s.nameOf(key), "%s deletes an object", p.name)
	} else if !now.ours() {
		c.violate(filesOfUsers, s.nameOf(key), "%s deletes a file that it did not write", p.name)
	}
}

// agrees reports whether a key and its records agree: nothing is left to do for the key.
func (c *checker) agrees(s *store, key string) bool {
	p := &c.kernel.profile
	if layout.IsRecord(key) || strings.HasPrefix(key, driver.Checkpoints) || !p.selects(key) {
		return true
	}
	object := s.current(key)
	for _, algorithm := range p.Algorithms {
		record := s.current(layout.RecordKey(key, algorithm))
		switch {
		case object == nil:
			if record != nil && record.ours() && !p.KeepRecords {
				return false
			}
		case record == nil:
			return false
		case record.ours() && !record.isRecordOf(object, algorithm), !record.ours() && valueOf(record.data) != object.sum(algorithm):
			return false
		}
	}
	return true
}

// received begins to watch the store for a delivery.
func (c *checker) received(d *delivery) {
	for _, e := range d.changes {
		if c.agrees(e.store, e.key) {
			d.agreed[e.store.nameOf(e.key)] = true
		}
	}
}

// changed looks at a store after a change.
func (c *checker) changed(e change) {
	object := objectOf(e.key)
	name := e.store.nameOf(object)
	for _, d := range c.kernel.queue.inFlight {
		if !d.agreed[name] && slices.ContainsFunc(d.changes, func(o change) bool { return o.store == e.store && o.key == object }) &&
			c.agrees(e.store, object) {
			d.agreed[name] = true
		}
	}
}

// acks looks at a message that a worker deletes from the queue.
func (c *checker) acks(d *delivery) {
	if d.handed || d.expect == isIgnored {
		return
	}
	if d.expect == isRefused {
		c.violate(recordedOrDead, "", "%s deletes %s, which is no event of a configured bucket, without a dead letter", d.proc.name, d.label)
		return
	}
	for _, e := range d.changes {
		if name := e.store.nameOf(e.key); !d.agreed[name] {
			c.violate(ackedWhenProven, name, "%s deletes %s, though since its receive the object and its record never agreed, and no dead letter was stored",
				d.proc.name, d.label)
		}
	}
}

// letter looks at a dead letter.
func (c *checker) letter(l letter) {
	switch {
	case l.reason == "" || l.attempt == "":
		c.violate(recordedOrDead, l.delivery.about(), "a dead letter without its reason or its attempt: %q", l.body)
	case c.kernel.queue.byBody[l.body] == nil:
		c.violate(recordedOrDead, l.delivery.about(), "a dead letter with a body that no message had: %q", l.body)
	}
	c.needless(l)
}
