// Package handlers does the work that events ask for: it reads and records the checksums of objects
// that were created, and removes the records of objects that were deleted. [Examine] does the work of
// passes over the objects that a bucket already has.
//
// It uses buckets and records only through the ports of package pipeline.
package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Config configures the handler. Buckets and Algorithms are needed.
type Config struct {
	// Buckets are the buckets by the names that events carry. No other bucket is read or written.
	Buckets    map[string]pipeline.Bucket
	Algorithms []string // names from package digest
	// Selects reports whether the object of a key gets a record. nil: every object does. A record
	// of an object that is no longer selected is removed when it becomes outdated.
	Selects func(key string) bool
	// KeepRecords keeps the records of deleted objects.
	KeepRecords bool
	// IgnoreClaims skips the comparison of content with the claims of its store.
	IgnoreClaims bool
	// RecordMismatches records content that differs from a claim of its store, and marks the
	// record. By default such content gets no record, and its event ends with ErrMismatch.
	RecordMismatches bool
	// Resume says which objects are resumed after an interruption instead of read again.
	Resume Resume
	// Publish announces each result before the message is acknowledged. An object that had its
	// record already is announced again, because its first announcement may have failed.
	Publish  pipeline.Publisher
	Observer pipeline.Observer
	Log      *slog.Logger // default: discarded

	// Sweep handles the events of the kind pipeline.Sweep. nil: they end with a Permanent error.
	Sweep pipeline.Handler

	// DeadLetterMissing ends events of objects that do not exist with a Permanent error. By default they are
	// superseded.
	DeadLetterMissing bool

	unsaved      *unsaved
	unresumable  func(context.Context)
	atMost       int64  // size in bytes of the largest object that is read without a look; 0: any
	keepRecorded bool   // content that contradicts the record of an object that users left alone is a mismatch, and not recorded
	bytesRead    *int64 // grows with each reading; nil: not counted. One goroutine at a time reads.
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var faults []error
	if len(c.Buckets) == 0 {
		faults = append(faults, errors.New("no bucket is configured"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Buckets)) {
		if b := c.Buckets[name]; b.Source == nil || b.Records == nil {
			faults = append(faults, fmt.Errorf("bucket %q has no source or no records", name))
		}
	}
	if err := digest.CheckNames(c.Algorithms...); err != nil {
		faults = append(faults, err)
	}
	if err := c.Resume.validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// New returns the handler of all kinds of events.
func New(c Config) (pipeline.Handler, error) {
	c, err := c.prepared()
	if err != nil {
		return nil, err
	}
	return c.handle, nil
}

// prepared returns the configuration with its defaults and its state.
func (c Config) prepared() (Config, error) {
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("handlers: %w", err)
	}
	if c.Selects == nil {
		c.Selects = func(string) bool { return true }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Observer = pipeline.Observers(c.Observer)
	buckets := make(map[string]pipeline.Bucket, len(c.Buckets))
	for name, b := range c.Buckets {
		buckets[name] = c.Observer.Bucket(b)
	}
	c.Buckets = buckets
	c.unsaved, c.unresumable = newUnsaved(), unresumable(c)
	return c, nil
}

// maxBuckets is the length, in bytes, to which an error cuts the list of buckets. The events of a
// message can cause thousands of these errors.
const maxBuckets = 300

func (c Config) handle(ctx context.Context, e pipeline.Event) error {
	if e.Kind == pipeline.Ignored {
		return nil
	}
	b, ok := c.Buckets[e.Object.Bucket]
	if !ok {
		return pipeline.Permanent(fmt.Errorf("bucket %q %w, so that %q was not touched; configured: %s",
			e.Object.Bucket, pipeline.ErrUnknownBucket, e.Object.Key, readable.Cut(strings.Join(slices.Sorted(maps.Keys(c.Buckets)), ", "), maxBuckets)))
	}
	if e.Kind == pipeline.Sweep {
		if c.Sweep == nil {
			return pipeline.Permanent(fmt.Errorf("%s: this worker takes no part in passes: start it with --reports, and the URL that the pass was started with", e.Shard))
		}
		return c.Sweep(ctx, e)
	}
	err := c.reading(ctx, b, e)
	if e.OtherKey != "" {
		// There may be objects at both keys, and nothing in the event proves which of them it means.
		other := e
		other.Object.Key = e.OtherKey
		err = either(err, c.reading(ctx, b, other))
	}
	if c.DeadLetterMissing && errors.Is(err, pipeline.ErrMissing) {
		return pipeline.Permanent(fmt.Errorf("%w under any reading of its key (--on-missing dead-letter)", err))
	}
	return err
}

// either returns what became of an event whose key can be read in two ways: the errors of both readings, without
// those that ask for no work if the other one does.
func either(first, other error) error {
	bothMissing := errors.Is(first, pipeline.ErrMissing) && isAbsent(other)
	switch {
	case isAbsent(first) && !bothMissing:
		return other
	case bothMissing, pipeline.Classify(other) == pipeline.ClassSuperseded, isAbsent(other):
		return first
	case pipeline.Classify(first) == pipeline.ClassSuperseded:
		return other
	}
	return errors.Join(first, other)
}

// isAbsent reports whether there is no object at a key, or can be none.
func isAbsent(err error) bool {
	return errors.Is(err, pipeline.ErrMissing) ||
		errors.Is(err, pipeline.ErrNotFound) && pipeline.Classify(err) == pipeline.ClassPermanent
}

// reading handles the event as one of its Object, and announces the result.
func (c Config) reading(ctx context.Context, b pipeline.Bucket, e pipeline.Event) error {
	if b.Records.IsRecord(e.Object.Key) {
		return fmt.Errorf("%s %w", e.Object, pipeline.ErrOwnRecord)
	}
	start := time.Now()
	result, err := c.reconcile(ctx, b, e, nil)
	if err != nil && result.Outcome != pipeline.Mismatch {
		return err
	}
	if result.Outcome == pipeline.Kept && e.Object.Key == e.OtherKey {
		return nil // most probably there never was such an object
	}
	return cmp.Or(c.announce(ctx, e, start, result), err)
}

// announce announces the result of work on an event that began at start.
func (c Config) announce(ctx context.Context, e pipeline.Event, start time.Time, result pipeline.Result) error {
	result.Event = e
	result.Duration = time.Since(start)
	failed := c.Observer.Publish(ctx, c.Publish, result)
	c.Observer.Result(ctx, result, failed)
	if failed != nil {
		return fmt.Errorf("publish the result of %s: %w", e.Object, failed)
	}
	return nil
}
