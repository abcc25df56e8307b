package blobstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

const (
	// recordLimit is how many bytes of a record are read at most. A record has a few hundred;
	// bucketsum did not write what is longer.
	recordLimit = 64 << 10
	// recordAttempts is how often a record is read and written again when another process,
	// which does not share the lock, writes it at the same instant.
	recordAttempts = 8
)

// records implements pipeline.Recorder with sidecars.
type records struct {
	layout     Layout
	algorithms []string
	former     []string // algorithms that may have records from before
	bucket     driver.Bucket
	traits     driver.Traits         // of bucket
	prefix     string                // of the keys of all records, in a bucket of their own
	reserved   func(key string) bool // in the bucket of the objects
}

var _ pipeline.Recorder = (*records)(nil)

func newRecords(c Config, b driver.Bucket) *records {
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"md5"}
	}
	former := slices.DeleteFunc(slices.Clone(allAlgorithms), func(alg string) bool { return slices.Contains(c.Algorithms, alg) })
	traits := b.Traits()
	return &records{
		layout: c.Layout.orDefault(), algorithms: c.Algorithms, former: former, bucket: b, traits: traits, reserved: reserved(traits),
	}
}

// reserved returns a function that reports whether a bucket keeps its own files at a key, such
// as checkpoints.
func reserved(t driver.Traits) func(key string) bool {
	if t.Local {
		return filebucket.IsHidden
	}
	return isCheckpoint
}

// IsRecord implements pipeline.Recorder. Where records have a bucket of their own, an object
// that looks like a record belongs to the user and is summed; except where bucketsum would
// write a record if both buckets turn out to be one.
func (r *records) IsRecord(key string) bool {
	rest, ok := strings.CutPrefix(key, r.prefix)
	return ok && r.layout.IsRecord(rest) || r.reserved(key)
}

// key returns the key of a record.
func (r *records) key(o pipeline.Object, alg string) string {
	return r.prefix + r.layout.RecordKey(o.Key, alg)
}

// source returns the key of the object that a record is of; empty if it is unknown.
func (r *records) source(record string, metadata map[string]string) string {
	object := metadata[metaKey]
	if key, _, ok := r.layout.ObjectKey(record); ok && sourceKey(key) == object {
		return key // it may be too long for metadata
	}
	return object
}

// read returns the sidecar at a key.
func (r *records) read(ctx context.Context, key string) (*sidecar, error) {
	if err := r.fault(key); err != nil {
		return nil, err
	}
	b, err := r.bucket.Get(ctx, key, recordLimit)
	if err != nil {
		return nil, err
	}
	return sidecarOf(b), nil
}

// fault explains why there can be no record at a key; nil if there can.
func (r *records) fault(key string) error {
	// Without the prefix, so that no key leads out of the folder of its bucket.
	if err := r.bucket.Check(strings.TrimPrefix(key, r.prefix)); err != nil {
		return err
	}
	if n, unit := r.traits.KeyLength(key); r.traits.KeyLimit > 0 && n > r.traits.KeyLimit {
		return pipeline.Permanent(fmt.Errorf("its key would be longer (%d %s) than %s allows (%d): %w", n, unit, r.traits.Name, r.traits.KeyLimit, syscall.ENAMETOOLONG))
	}
	return nil
}

// write stores a sidecar under a condition.
//
// Where the condition compares data only, two records of different versions with the same
// content look the same, so that a late worker could replace the newer record, taking it for
// the older one that it has read. A line that replaces the same line therefore gets, or loses,
// the asterisk of md5sum --binary, which has no meaning for readers of the line.
func (r *records) write(ctx context.Context, key string, s *sidecar, c driver.Condition) error {
	if err := r.fault(key); err != nil {
		return err
	}
	line := s.line
	if c.Old != nil && r.traits.SameTag && string(c.Old.Data) == line {
		line = withAsterisk(line)
	}
	b := &driver.Blob{Data: []byte(line), ContentType: "text/plain; charset=utf-8", Metadata: s.metadata}
	if r.prefix == "" {
		b.Of = r.source(key, s.metadata)
	}
	return r.bucket.Put(ctx, key, b, c)
}

// Lookup implements pipeline.Recorder. If the records of several algorithms are of different
// versions, the newest version decides and the other records do not count.
func (r *records) Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, error) {
	var found pipeline.Record
	for _, alg := range r.algorithms {
		s, err := r.read(ctx, r.key(o, alg))
		if errors.Is(err, pipeline.ErrNotFound) {
			continue
		} else if err != nil {
			return pipeline.Record{}, fmt.Errorf("read the %s record of %s: %w", alg, printable(o), readable.Error(err))
		}
		record, ok := s.record(o, alg)
		switch {
		case !ok || s.archived:
		case found.Digests == nil, pipeline.CompareSequencers(record.Source.Sequencer, found.Source.Sequencer) > 0 &&
			!record.Source.SameVersion(found.Source):
			found = record
		case record.Source.SameVersion(found.Source):
			found.Digests[alg] = record.Digests[alg]
		}
	}
	if found.Digests == nil {
		return pipeline.Record{}, fmt.Errorf("record of %s: %w", printable(o), pipeline.ErrNotFound)
	}
	return found, nil
}

// Save implements pipeline.Recorder. It does not write again what is recorded already. It
// removes records of another version that belong to algorithms which are no longer configured,
// as they would be wrong from now on. In an object store it looks for them only if the record
// replaces one of another version.
func (r *records) Save(ctx context.Context, record pipeline.Record) error {
	var errs []error
	overwritten := r.traits.Local
	for _, alg := range r.algorithms {
		value := record.Digests[alg]
		if value == "" {
			continue
		}
		replaced, err := r.save(ctx, record, alg, value)
		if err != nil {
			errs = append(errs, fmt.Errorf("write the %s record of %s: %w", alg, printable(record.Source), readable.Error(err)))
		}
		overwritten = overwritten || replaced
	}
	if overwritten && len(errs) == 0 {
		_, err := r.removeAll(ctx, record.Source, r.former, (*sidecar).outdated)
		errs = append(errs, err)
	}
	return joined(errs)
}

// save reports whether it replaced the record of another version.
func (r *records) save(ctx context.Context, record pipeline.Record, alg, value string) (replaced bool, err error) {
	o := record.Source
	key := r.key(o, alg)
	unlock, err := r.bucket.Lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	fresh := newSidecar(record, value)
	if err := r.write(ctx, key, fresh, driver.Condition{Unseen: true}); !errors.Is(err, pipeline.ErrChanged) {
		return false, err // most objects have no record yet
	}
	for range recordAttempts {
		old, err := r.read(ctx, key)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			old = nil
		case err != nil:
			return false, err
		case !old.ours() && old.line == fresh.line:
			return false, nil // the user wrote the same line; the file stays theirs
		case !old.ours():
			return false, pipeline.Permanent(fmt.Errorf(
				"bucketsum did not write %q and leaves it alone: move it away, or choose other names with --record", key))
		case old.newerThan(o, alg):
			return false, fmt.Errorf("%w: the record of a newer version is there", pipeline.ErrChanged)
		case old.says(fresh, o, alg):
			return false, nil
		}
		var c driver.Condition
		if old != nil {
			c.Old = old.blob
		}
		if err := r.write(ctx, key, fresh, c); !errors.Is(err, pipeline.ErrChanged) {
			return old != nil && old.outdated(o, alg), err
		}
	}
	return false, fmt.Errorf("other processes write %q all the time", key)
}

// Remove implements pipeline.Recorder. It removes the records of all algorithms,
// configured or not.
func (r *records) Remove(ctx context.Context, o pipeline.Object) (bool, error) {
	return r.removeAll(ctx, o, allAlgorithms, func(*sidecar, pipeline.Object, string) bool { return true })
}

// sidecarTest is a question about the sidecar of an object.
type sidecarTest func(s *sidecar, o pipeline.Object, alg string) bool

// removeAll removes the records of an object to which the test applies.
func (r *records) removeAll(ctx context.Context, o pipeline.Object, algorithms []string, applies sidecarTest) (bool, error) {
	removed := false
	var errs []error
	for _, alg := range algorithms {
		done, err := r.remove(ctx, o, alg, applies)
		removed = removed || done
		if err != nil {
			errs = append(errs, fmt.Errorf("remove the %s record of %s: %w", alg, printable(o), readable.Error(err)))
		}
	}
	return removed, joined(errs)
}

// remove removes the record of one algorithm if the test applies to it.
func (r *records) remove(ctx context.Context, o pipeline.Object, alg string, applies sidecarTest) (bool, error) {
	key := r.key(o, alg)
	if !slices.Contains(r.algorithms, alg) {
		// Mostly there is no record. Finding that out needs no lock.
		switch s, err := r.read(ctx, key); {
		case errors.Is(err, pipeline.ErrNotFound), errors.Is(err, syscall.ENAMETOOLONG):
			return false, nil
		case err == nil && !s.of(o):
			return false, nil
		}
	}
	unlock, err := r.bucket.Lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	for range recordAttempts {
		old, err := r.read(ctx, key)
		switch {
		case errors.Is(err, syscall.ENAMETOOLONG):
			return false, nil // there can be none
		case errors.Is(err, pipeline.ErrNotFound):
			if r.traits.Local { // a note may be left
				err = r.bucket.Delete(ctx, key, driver.Condition{})
			} else {
				err = nil
			}
			return false, err
		case err != nil:
			return false, err
		case !old.of(o) || !applies(old, o, alg):
			return false, nil
		case old.recordedAfter(o, alg):
			return false, fmt.Errorf("%w: the record is of a newer version", pipeline.ErrChanged)
		}
		err = r.bucket.Delete(ctx, key, driver.Condition{Old: old.blob})
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, pipeline.ErrNotFound):
			return false, nil // another process removed it
		case !errors.Is(err, pipeline.ErrChanged):
			return false, err
		}
	}
	return false, fmt.Errorf("other processes write %q all the time", key)
}
