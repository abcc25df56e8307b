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
	mode       modes
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
// as checkpoints and reports.
func reserved(t driver.Traits) func(key string) bool {
	if t.Local {
		return filebucket.IsHidden
	}
	return isReserved
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

// read returns the sidecar at a key. Where there can be none, as a write will say, there is none.
func (r *records) read(ctx context.Context, key string) (*sidecar, error) {
	if err := r.fault(key); err != nil {
		return nil, &impossibleKey{err}
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
// the asterisk of md5sum --binary, which has no meaning for readers of the line. If only the time of a verification is new,
// the line stays: the record is of the same version, and a late worker can undo no more than that.
func (r *records) write(ctx context.Context, key string, s *sidecar, c driver.Condition) error {
	if err := r.fault(key); err != nil {
		return err
	}
	line := s.line
	if c.Old != nil && r.traits.SameTag && !s.renewed && isOurs(c.Old.Metadata) && string(c.Old.Data) == line {
		line = withAsterisk(line)
	}
	b := &driver.Blob{Data: []byte(line), ContentType: "text/plain; charset=utf-8", Mode: r.mode.of(s.source), Metadata: s.metadata}
	if r.prefix == "" {
		b.Of = r.source(key, s.metadata)
	}
	return r.bucket.Put(ctx, key, b, c)
}

// seen is what the sidecars of an object held when they were looked at, by algorithm; nil: nothing.
type seen map[string]*sidecar

// Lookup implements pipeline.Recorder. If the records of several algorithms are of different
// versions, it returns the one that was computed last.
func (r *records) Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	var found pipeline.Record
	var files []pipeline.UserFile
	saw := make(seen, len(r.algorithms))
	for _, alg := range r.algorithms {
		s, err := r.read(ctx, r.key(o, alg))
		switch {
		case errors.Is(err, syscall.ENAMETOOLONG):
			continue // there can be none, as a Save will say
		case errors.Is(err, pipeline.ErrNotFound):
			saw[alg] = nil
			continue
		case err != nil:
			return pipeline.Record{}, nil, fmt.Errorf("read the %s record of %s: %w", alg, printable(o), readable.Error(err))
		}
		saw[alg] = s
		if (!s.ours() || s.isStray()) && !s.archived {
			files = append(files, s.userFile(o, r.key(o, alg), alg))
		}
		record, ok := s.record(o, alg)
		switch {
		case !ok || s.archived:
		case found.Digests == nil, !record.Source.SameVersion(found.Source) && record.ComputedAt.After(found.ComputedAt):
			found = record
		case record.Source.SameVersion(found.Source):
			found.Digests[alg] = record.Digests[alg]
			if record.VerifiedAt.Before(found.VerifiedAt) {
				found.VerifiedAt = record.VerifiedAt // only then all of them were right
			}
		}
	}
	if found.UserFiles = files; found.Digests == nil {
		return pipeline.Record{UserFiles: files}, saw, fmt.Errorf("record of %s: %w", printable(o), pipeline.ErrNotFound)
	}
	return found, saw, nil
}

// Save implements pipeline.Recorder. It does not write again what is recorded already. It
// removes records of another version that belong to algorithms which are no longer configured,
// as they would be wrong from now on. In an object store it looks for them only if the record
// replaces one of another version.
func (r *records) Save(ctx context.Context, record pipeline.Record, looked pipeline.Seen) error {
	var errs, causes []error
	overwritten := r.traits.Local
	saw, known := looked.(seen)
	for _, alg := range r.algorithms {
		value := record.Digests[alg]
		if value == "" {
			continue
		}
		condition := driver.Condition{Unseen: !known}
		old := saw[alg]
		if old != nil {
			condition.Old = old.blob
		}
		replaced, err := r.save(ctx, record, alg, value, old, condition)
		if err != nil {
			causes = append(causes, err)
			errs = append(errs, fmt.Errorf("write the %s record of %s: %w", alg, printable(record.Source), readable.Error(err)))
		}
		overwritten = overwritten || replaced
	}
	if len(causes) > 1 && !slices.ContainsFunc(causes, func(err error) bool { return err.Error() != causes[0].Error() }) {
		errs = []error{fmt.Errorf("write the records of %s: %w", printable(record.Source), readable.Error(causes[0]))}
	}
	if overwritten && len(errs) == 0 {
		for _, alg := range r.former {
			if _, err := r.removeFormer(ctx, record.Source, alg, (*sidecar).outdated); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return joined(errs)
}

// save reports whether it replaced the record of another version.
func (r *records) save(ctx context.Context, record pipeline.Record, alg, value string, old *sidecar, c driver.Condition) (replaced bool, err error) {
	o := record.Source
	key := r.key(o, alg)
	fresh := newSidecar(record, value)
	switch {
	case old == nil:
	case !old.ours():
		if adopts, err := old.compare(fresh, key, alg, value); !adopts {
			return false, err
		}
	case old.says(fresh, o, alg):
		var newer bool
		if fresh, newer = old.renew(record, alg); !newer {
			return false, nil
		}
	}
	if old != nil && !fresh.renewed {
		fresh.keepText(old, alg, value, r.traits.SameTag)
	}
	unlock, err := r.bucket.Lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	return old != nil && old.outdated(o, alg), r.write(ctx, key, fresh, c)
}

// Remove implements pipeline.Recorder. It removes the records of all algorithms,
// configured or not.
func (r *records) Remove(ctx context.Context, o pipeline.Object, looked pipeline.Seen) (bool, error) {
	removed := false
	var errs []error
	saw, _ := looked.(seen)
	for _, alg := range allAlgorithms {
		var done bool
		var err error
		if old, known := saw[alg]; known {
			done, err = r.remove(ctx, o, alg, old)
		} else {
			done, err = r.removeFormer(ctx, o, alg, func(*sidecar, pipeline.Object, string) bool { return true })
		}
		removed = removed || done
		if err != nil {
			errs = append(errs, fmt.Errorf("remove the %s record of %s: %w", alg, printable(o), readable.Error(err)))
		}
	}
	return removed, joined(errs)
}

// removeFormer looks at the record of an algorithm and removes it if the test applies. Mostly there is none.
func (r *records) removeFormer(ctx context.Context, o pipeline.Object, alg string, applies func(s *sidecar, o pipeline.Object, alg string) bool) (bool, error) {
	s, err := r.read(ctx, r.key(o, alg))
	switch {
	case errors.Is(err, pipeline.ErrNotFound), errors.Is(err, syscall.ENAMETOOLONG):
		return false, nil
	case err != nil:
		return false, err
	case !s.of(o) || !applies(s, o, alg):
		return false, nil
	}
	return r.remove(ctx, o, alg, s)
}

// remove removes the record of one algorithm if it is the one that was seen.
func (r *records) remove(ctx context.Context, o pipeline.Object, alg string, old *sidecar) (bool, error) {
	var c driver.Condition
	switch {
	case old == nil && !r.traits.Local: // there is nothing, not even a note of a record
		return false, nil
	case old != nil && !old.of(o):
		return false, nil
	case old != nil:
		c.Old = old.blob
	}
	key := r.key(o, alg)
	unlock, err := r.bucket.Lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	err = r.bucket.Delete(ctx, key, c)
	if errors.Is(err, pipeline.ErrNotFound) {
		return false, nil // another process removed it
	}
	return old != nil && err == nil, err
}
