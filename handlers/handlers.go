// Package handlers holds what is done with an event: an object that was
// created is summed, the record of one that was deleted is taken away.
//
// It knows buckets and records by the ports of package pipeline only.
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
)

// Config says what is done. Buckets and Algorithms are needed.
type Config struct {
	// Buckets holds, by the names that events carry, the only ones that are
	// ever touched.
	Buckets    map[string]pipeline.Bucket
	Algorithms []string // names as package digest has them
	// Selects reports whether an object of this key is to be summed. nil: every
	// one. The record that one has from before goes when it is no longer true.
	Selects func(key string) bool
	// KeepRecords leaves the record of an object that was deleted.
	KeepRecords bool
	// IgnoreClaims does not hold content against what its store claims of it.
	IgnoreClaims bool
	// RecordMismatches records content that is not what its store claims, marked as
	// such. Else it has no record, and its event ends with ErrMismatch.
	RecordMismatches bool
	// Resume says which objects are not read again from their beginning when their
	// worker is gone.
	Resume Resume
	// Publish announces what was done, before the message is acknowledged. What had
	// its record already is announced again, as nobody knows whether it was.
	Publish  pipeline.Publisher
	Observer pipeline.Observer
	Log      *slog.Logger // default: discarded

	unsaved     *unsaved
	unresumable func(context.Context) // see there
}

// Validate returns everything that is wrong with the configuration.
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

// New returns the handler of all kinds of event.
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

func (c Config) handle(ctx context.Context, e pipeline.Event) error {
	b, ok := c.Buckets[e.Object.Bucket]
	switch {
	case e.Kind == pipeline.Ignored:
		return nil
	case !ok:
		return pipeline.Permanent(fmt.Errorf("bucket %q %w, so that %q was not touched; configured: %s",
			e.Object.Bucket, pipeline.ErrUnknownBucket, e.Object.Key, strings.Join(slices.Sorted(maps.Keys(c.Buckets)), ", ")))
	case b.Records.IsRecord(e.Object.Key):
		return fmt.Errorf("%s %w", e.Object, pipeline.ErrOwnRecord)
	}
	start := time.Now()
	act := c.checksum
	switch {
	case !c.Selects(e.Object.Key):
		act = func(ctx context.Context, b pipeline.Bucket, o pipeline.Object) (pipeline.Result, error) {
			return c.excluded(ctx, b, o, e.Kind == pipeline.Deleted)
		}
	case e.Kind == pipeline.Deleted:
		act = c.tombstone
	}
	result, err := act(ctx, b, e.Object)
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
