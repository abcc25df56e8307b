// Package handlers does the work that events ask for: it reads and records the checksums of objects
// that were created, and removes the records of objects that were deleted.
//
// It uses buckets and records only through the ports of package pipeline.
package handlers

import (
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

	unsaved     *unsaved
	unresumable func(context.Context)
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
	if _, err := digest.New(c.Algorithms...); err != nil {
		faults = append(faults, err)
	}
	if err := c.Resume.validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// New returns the handler of all kinds of events.
func New(c Config) (pipeline.Handler, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("handlers: %w", err)
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
	return c.handle, nil
}

// maxBuckets is the length, in bytes, to which an error cuts the list of buckets. The events of a
// message can cause thousands of these errors.
const maxBuckets = 300

func (c Config) handle(ctx context.Context, e pipeline.Event) error {
	b, ok := c.Buckets[e.Object.Bucket]
	switch {
	case e.Kind == pipeline.Ignored:
		return nil
	case !ok:
		return pipeline.Permanent(fmt.Errorf("bucket %q %w, so that %q was not touched; configured: %s",
			e.Object.Bucket, pipeline.ErrUnknownBucket, e.Object.Key, readable.Cut(strings.Join(slices.Sorted(maps.Keys(c.Buckets)), ", "), maxBuckets)))
	case b.Records.IsRecord(e.Object.Key):
		return fmt.Errorf("%s %w", e.Object, pipeline.ErrOwnRecord)
	}
	start := time.Now()
	act := c.reconcile
	if !c.Selects(e.Object.Key) {
		act = c.excluded
	}
	result, err := act(ctx, b, state{object: e.Object, gone: e.Kind == pipeline.Deleted})
	if err != nil && !errors.Is(err, pipeline.ErrMismatch) {
		return err
	}
	result.Event = e
	result.Duration = time.Since(start)
	failed := c.Observer.Publish(ctx, c.Publish, result)
	c.Observer.Result(ctx, result, failed)
	if failed != nil {
		return fmt.Errorf("publish the result of %s: %w", e.Object, failed)
	}
	return err
}
