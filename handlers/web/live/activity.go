// Package live records what a worker does now and did last: for the page, for GET /status and for the terminal.
package live

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Limits of the memory of an Activity.
const (
	MaxListed     = 100  // elements of each list
	maxKeptKey    = 4096 // the longest path of a file on Linux; keys in buckets have 1,024
	maxKeptReason = 1000
)

// Activity records what a worker does, for the page, GET /status and a terminal. Its methods are safe for
// concurrent use and never block. Its memory is limited.
type Activity struct {
	begun chan struct{}

	mu       sync.Mutex
	started  time.Time
	totals   Totals
	reads    map[*pipeline.Reading]Work
	results  []Done    // oldest first
	failures []Failure // oldest first
	history  history
	flow     flow
	states   int64 // how many were looked at

	hub hub
}

// NewActivity returns an Activity that starts now.
func NewActivity() *Activity {
	a := &Activity{begun: make(chan struct{}, 1), started: Stamp(time.Now()), reads: make(map[*pipeline.Reading]Work)}
	a.hub.look = a.look
	return a
}

// Observer returns the observer that feeds the activity.
func (a *Activity) Observer() pipeline.Observer {
	return pipeline.Observer{End: a.end, Result: a.result, Opened: a.opened, Closed: a.closed}
}

func (a *Activity) result(_ context.Context, r pipeline.Result, _ error) {
	o, now := r.Record.Source, time.Now()
	done := Done{
		At: Stamp(now), Outcome: r.Outcome,
		Bucket: readable.Cut(o.Bucket, maxKeptKey), Key: readable.Cut(o.Key, maxKeptKey), VersionID: readable.Cut(o.VersionID, maxKeptKey),
		Digests: map[string]string{}, Seconds: r.Duration.Seconds(),
	}
	if r.Outcome == pipeline.Recorded || r.Outcome == pipeline.Current || r.Outcome == pipeline.Mismatch {
		done.Size = known(o.Size)
		maps.Copy(done.Digests, r.Record.Digests)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	step := a.history.at(now)
	step.results++
	a.flow.results++
	if !r.Event.Time.IsZero() {
		step.age = max(step.age, now.Sub(r.Event.Time), time.Millisecond) // clocks differ
	}
	switch r.Outcome {
	case pipeline.Recorded:
		a.totals.Summed++
		a.totals.Bytes += max(o.Size, 0)
		a.countChecks(r.Record.Checks)
	case pipeline.Current:
		a.totals.Current++
	case pipeline.Removed:
		a.totals.Removed++
	case pipeline.Kept:
		a.totals.Kept++
	case pipeline.Mismatch:
		a.totals.Mismatched++
		step.failed++
	}
	a.results = remember(a.results, done)
	if a.hub.active.Load() {
		a.hub.publish(eventResult, done)
	}
	a.forget(done.Bucket, done.Key)
}

// countChecks counts the checks of an object without a mismatch. The caller holds a.mu.
func (a *Activity) countChecks(checks []pipeline.Check) {
	verified := false
	for _, c := range checks {
		verified = verified || c.Outcome == digest.Match
		if c.Outcome == digest.Unchecked {
			a.totals.Unchecked++
		}
	}
	if verified {
		a.totals.Verified++
	}
}

// HadRecord counts an object that had its record already and for which there was no event. The object is
// not listed.
func (a *Activity) HadRecord() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.Current++
}

// Fail counts an object that gets no checksum and has no delivery.
func (a *Activity) Fail(o pipeline.Object, reason string) {
	f := failureOf(o, reason, true)
	if strings.Contains(reason, fs.ErrPermission.Error()) {
		f.Kind = KindPermission
	}
	a.fail(f)
}

// Mended takes back what failures of an object added to the totals, and removes its failure from the list. Without a
// key it only does the former: the object has failed again.
func (a *Activity) Mended(o pipeline.Object, failed, mismatched int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.Failed -= failed
	a.totals.Mismatched -= mismatched
	if o.Key != "" {
		a.forget(readable.Cut(o.Bucket, maxKeptKey), readable.Cut(o.Key, maxKeptKey))
	}
}

// end counts what failed in a delivery.
func (a *Activity) end(_ context.Context, d pipeline.Delivery) {
	interrupted := errors.Is(d.Err, pipeline.ErrDrainTimeout)
	if d.Fate == pipeline.Nacked {
		a.mu.Lock()
		a.totals.Returned++
		if !interrupted {
			a.history.at(time.Now()).returned++
		}
		a.mu.Unlock()
	}
	if d.Fate == pipeline.Acked || d.Fate == pipeline.Continued || d.Err == nil || interrupted {
		return // done, or interrupted by the shutdown
	}
	failed := false
	for _, h := range d.Events {
		if c := pipeline.Classify(h.Err); c == pipeline.ClassNone || c == pipeline.ClassSuperseded {
			continue
		}
		failed = true
		a.observed(d, h.Event.Object, h.Err)
	}
	if !failed {
		a.observed(d, pipeline.Object{}, d.Err)
	}
}

func (a *Activity) observed(d pipeline.Delivery, o pipeline.Object, err error) {
	f := failureOf(o, err.Error(), d.Fate == pipeline.DeadLettered)
	f.Kind = kindOf(o, err)
	f.MessageID, f.Attempt = readable.Cut(d.MessageID, maxKeptReason), d.Attempt
	a.fail(f)
}

func failureOf(o pipeline.Object, reason string, final bool) Failure {
	return Failure{
		At: Stamp(time.Now()), Bucket: readable.Cut(o.Bucket, maxKeptKey), Key: readable.Cut(o.Key, maxKeptKey),
		VersionID: readable.Cut(o.VersionID, maxKeptKey), Reason: readable.Cut(reason, maxKeptReason), Final: final,
	}
}

func (a *Activity) fail(f Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.Final {
		a.totals.Failed++
		if f.Kind != KindMismatch { // its result has counted
			a.history.at(f.At).failed++
		}
	}
	if f.Key != "" {
		a.forget(f.Bucket, f.Key)
	}
	a.failures = remember(a.failures, f)
	if a.hub.active.Load() {
		a.hub.publish(eventFailure, f)
	}
}

// forget removes the failure of an object from the list. The caller holds a.mu.
func (a *Activity) forget(bucket, key string) {
	a.failures = slices.DeleteFunc(a.failures, func(f Failure) bool { return f.Key == key && f.Bucket == bucket })
}

// Status returns the activity so far. The caller must not change its digests.
func (a *Activity) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.measure(now)
	bytes, results := a.rates()
	s := Status{
		StartedAt: a.started, Totals: a.totals, InWorkCount: len(a.reads),
		BytesPerSecond: bytes, ResultsPerSecond: results, LastHour: a.history.hour(now),
		InWork: make([]Work, 0, len(a.reads)),
		// Never nil, so that an empty list is [] in JSON.
		Results:  append([]Done{}, a.results...),
		Failures: append([]Failure{}, a.failures...),
	}
	slices.Reverse(s.Results)
	slices.Reverse(s.Failures)
	left := int64(0)
	for r, w := range a.reads {
		w.Read = r.Offset()
		s.InWork = append(s.InWork, w)
		if w.Size == nil {
			left = math.MinInt64
		} else {
			left += max(*w.Size-w.Read, 0)
		}
	}
	if left >= 0 {
		s.BytesLeft = &left
	}
	slices.SortFunc(s.InWork, func(a, b Work) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
	})
	s.InWork = s.InWork[:min(len(s.InWork), MaxListed)]
	return s
}

// look returns the part of the Status that changes often.
func (a *Activity) look() state {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state()
}

// state is look for a caller that holds a.mu.
func (a *Activity) state() state {
	p := Pulse{Totals: a.totals, InWorkCount: len(a.reads)}
	for r := range a.reads {
		p.InWorkRead += r.Offset()
	}
	a.states++
	return state{a.states, encode(eventStatus, p)}
}

// Begun contains an element if work has begun since the last receive, so that one listener can sleep while
// there is no work.
func (a *Activity) Begun() <-chan struct{} { return a.begun }

// opened lists an object as in work until its reader is closed.
func (a *Activity) opened(r *pipeline.Reading) {
	o, now := r.Object, time.Now()
	work := Work{
		Bucket: readable.Cut(o.Bucket, maxKeptKey), Key: readable.Cut(o.Key, maxKeptKey), VersionID: readable.Cut(o.VersionID, maxKeptKey),
		Size: known(o.Size), StartedAt: Stamp(now),
	}
	a.mu.Lock()
	if now.Sub(a.flow.at) >= sampleEvery || len(a.reads) == 0 {
		a.measure(now)
	}
	a.reads[r] = work
	a.mu.Unlock()
	select {
	case a.begun <- struct{}{}:
	default: // the listener has not received the last element yet
	}
}

func (a *Activity) closed(r *pipeline.Reading) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.reads, r)
	a.flow.closed += r.Offset() - r.From
	if now.Sub(a.flow.at) >= sampleEvery || len(a.reads) == 0 { // bytes must not count into a time without work
		a.measure(now)
	}
}

// remember appends v to a list, and drops the first element of a full list.
func remember[T any](list []T, v T) []T {
	if len(list) == MaxListed {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, v)
}

// known returns nil for an unknown size.
func known(size int64) *int64 {
	if size == pipeline.UnknownSize {
		return nil
	}
	return &size
}

// Stamp returns a time as it is shown: in UTC, to the millisecond.
func Stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
