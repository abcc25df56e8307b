package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Invariants that say what a worker does in time or in order. Each was missed by a seeded bug of testenv/mutants.
const (
	announcedAfter = "announced-after-the-record"
	noNeedless     = "no-needless-dead-letter"
	leaseKept      = "lease-kept" // a worker that can ask for more time asks before a lease runs out
)

// passing are texts of faults that pass. A message that meets one is handled later.
var passing = []string{
	faultFailed, faultThrottled, faultLost, faultDenied, faultOutage, faultTorn, faultShort, errShort.Error(), "context canceled",
}

// needless looks at a dead letter whose reason is a fault that passes: it is right only on the last delivery that is
// permitted.
func (c *checker) needless(l letter) {
	most := c.kernel.profile.lastDelivery()
	if n, err := strconv.Atoi(l.attempt); err == nil && most > 0 && n >= most {
		return
	}
	for _, fault := range passing {
		if strings.Contains(l.reason, fault) {
			c.violate(noNeedless, l.delivery.about(), "a dead letter on delivery %s because of a fault that passes: %s", l.attempt, l.reason)
			return
		}
	}
}

// recordedBefore looks at a result that says that a version is recorded. The record was there before, unless a user
// has a file with the same checksum in its place.
func (c *checker) recordedBefore(s *store, r *result, algorithm, value string, named []*version) {
	written := s.at(layout.RecordKey(r.Data.Key, algorithm)).ever
	if !slices.ContainsFunc(written, func(record *version) bool {
		return !record.marker && valueOf(record.data) == value && (!record.ours() ||
			slices.ContainsFunc(named, func(v *version) bool { return record.isRecordOf(v, algorithm) }))
	}) {
		c.violate(announcedAfter, s.nameOf(r.Data.Key), "announced as recorded: version %q, which has no %s record yet", r.Data.VersionID, algorithm)
	}
}

// reads notes which record the work of a delivery has read; nil: that there is none.
func (c *checker) reads(d *delivery, s *store, key string, v *version) {
	if d == nil {
		return
	}
	if d.read == nil {
		d.read = make(map[string]*version)
	}
	d.read[s.nameOf(key)] = v
}

// missing notes that the work of a delivery has found no object. If it found no record before, both looks together are
// in agreement: a worker that writes a record in between looks again, and the event of the deletion is still to come.
func (c *checker) missing(d *delivery, s *store, key string) {
	if d == nil {
		return
	}
	for _, algorithm := range c.kernel.profile.Algorithms {
		record, looked := d.read[s.nameOf(layout.RecordKey(key, algorithm))]
		if !looked || record != nil && record.ours() {
			return
		}
	}
	d.agreed[s.nameOf(key)] = true
}

// mistakes reports whether a condition lets the work of a delivery take a record for the one that it has read: a record
// that was removed and written again for equal content has the same ETag. It is the limit that testenv/model calls
// equal-content-thrice. The look after the write repairs it.
func (d *delivery) mistakes(s *store, key string, record *version) bool {
	if d == nil {
		return false
	}
	read := d.read[s.nameOf(key)]
	return read != nil && read != record && read.etag == record.etag
}

// removes looks at a record that is removed for a delivery. It is the one that the worker has read: a condition protects
// a record that was written since.
func (c *checker) removes(d *delivery, s *store, key string, record *version) {
	if d != nil && record != nil && record.ours() && d.read[s.nameOf(key)] != record && !d.mistakes(s, key, record) {
		c.violate(newerStays, s.nameOf(key), "%s removes for %s a record that was written since it looked", d.proc.name, d.label)
	}
}

// redelivers looks at the holder of a message that the queue gives out again. The worker of the holder has asked for
// more time since the last extension, if it still runs and has not begun to settle the message.
func (c *checker) redelivers(d *delivery) {
	period := c.kernel.queue.visibility
	last := d.asked
	if last.IsZero() {
		last = d.received
	}
	switch {
	case d.proc.crashed, d.settling, !d.lost.IsZero(), time.Since(d.received) > heldFor-period:
		return
	case time.Now().Before(d.until), d.until.Sub(last) <= 3*period/4:
		return
	}
	c.violate(leaseKept, d.about(), "%s let the lease of %s run out: it last asked for more time %s before the end",
		d.proc.name, d.label, d.until.Sub(last).Round(time.Millisecond))
}
