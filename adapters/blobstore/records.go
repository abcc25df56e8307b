package blobstore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Keys of a record's metadata.
const (
	metaMarker    = "written-by"
	metaETag      = "source-etag"
	metaVersionID = "source-version-id"
	metaSize      = "source-size" // bytes
	metaSequencer = "source-sequencer"
	metaComputed  = "computed-at" // RFC 3339

	marker = "bucketsum"
)

// sidecar is a record as it is stored.
type sidecar struct {
	line     string            // as md5sum prints it, with its newline
	metadata map[string]string // nil if bucketsum did not write it
}

func (s *sidecar) ours() bool { return s.metadata[metaMarker] == marker }

// sidecars is where records are stored. Its methods are safe for concurrent use.
type sidecars interface {
	// read returns what is stored under the key. ErrNotFound if nothing is.
	read(ctx context.Context, key string) (*sidecar, error)
	// write stores s in the place of old, which read returned or is nil if there
	// was nothing. ErrChanged if something else is there by now.
	write(ctx context.Context, key string, s, old *sidecar) error
	// remove takes away what read returned. ErrNotFound if it is gone.
	remove(ctx context.Context, key string, old *sidecar) error
	// reserved reports whether the store keeps things of its own at the key.
	reserved(key string) bool
}

// records implements pipeline.Recorder with sidecars.
type records struct {
	layout     Layout
	algorithms []string
	sidecars   sidecars
}

func newRecords(c Config, s sidecars) *records {
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{"md5"}
	}
	return &records{c.Layout.orDefault(), c.Algorithms, s}
}

// IsRecord implements pipeline.Recorder.
func (r *records) IsRecord(key string) bool {
	return r.layout.IsRecord(key) || r.sidecars.reserved(key)
}

// Lookup implements pipeline.Recorder. If the records of several algorithms are
// of different versions, the newest decides and the others do not count.
func (r *records) Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, error) {
	var found pipeline.Record
	for _, alg := range r.algorithms {
		key := r.layout.RecordKey(o.Key, alg)
		s, err := r.sidecars.read(ctx, key)
		if errors.Is(err, pipeline.ErrNotFound) {
			continue
		} else if err != nil {
			return found, fmt.Errorf("read record %s of %s: %w", key, o, err)
		}
		record, ok := s.record(o, alg)
		switch {
		case !ok:
		case found.Digests == nil, pipeline.CompareSequencers(record.Source.Sequencer, found.Source.Sequencer) > 0 &&
			!record.Source.SameVersion(found.Source):
			found = record
		case record.Source.SameVersion(found.Source):
			found.Digests[alg] = record.Digests[alg]
		}
	}
	if found.Digests == nil {
		return found, fmt.Errorf("record of %s: %w", o, pipeline.ErrNotFound)
	}
	return found, nil
}

// Save implements pipeline.Recorder.
func (r *records) Save(ctx context.Context, record pipeline.Record) error {
	var errs []error
	for _, alg := range r.algorithms {
		if value := record.Digests[alg]; value != "" {
			errs = append(errs, r.save(ctx, record, alg, value))
		}
	}
	return joined(errs)
}

func (r *records) save(ctx context.Context, record pipeline.Record, alg, value string) error {
	o := record.Source
	key := r.layout.RecordKey(o.Key, alg)
	fresh := newSidecar(record, value)
	for range 8 { // each time somebody else wrote at the same instant
		old, err := r.sidecars.read(ctx, key)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			old = nil
		case err != nil:
			return fmt.Errorf("read record %s of %s: %w", key, o, err)
		case !old.ours() && old.line == fresh.line:
			return nil // somebody had the same idea; it stays theirs
		case !old.ours():
			return pipeline.Permanent(fmt.Errorf(
				"record %s of %s: a file of that name is there that bucketsum did not write; it is left alone: move it away, or choose other names with --record", key, o))
		case old.newerThan(o, alg):
			return fmt.Errorf("record %s of %s: %w: a newer one is there", key, o, pipeline.ErrChanged)
		}
		err = r.sidecars.write(ctx, key, fresh, old)
		if !errors.Is(err, pipeline.ErrChanged) {
			if err != nil {
				return fmt.Errorf("write record %s of %s: %w", key, o, err)
			}
			return nil
		}
	}
	return fmt.Errorf("write record %s of %s: others write it all the time", key, o)
}

// Remove implements pipeline.Recorder.
func (r *records) Remove(ctx context.Context, o pipeline.Object) (bool, error) {
	var (
		removed bool
		errs    []error
	)
	for _, alg := range r.algorithms {
		key := r.layout.RecordKey(o.Key, alg)
		old, err := r.sidecars.read(ctx, key)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			continue
		case err == nil && !old.ours():
			continue
		case err == nil && old.newerThan(o, alg):
			err = fmt.Errorf("%w: it is of a newer version", pipeline.ErrChanged)
		case err == nil:
			err = r.sidecars.remove(ctx, key, old)
		}
		if err == nil {
			removed = true
		} else if !errors.Is(err, pipeline.ErrNotFound) {
			errs = append(errs, fmt.Errorf("remove record %s of %s: %w", key, o, err))
		}
	}
	return removed, joined(errs)
}

func newSidecar(r pipeline.Record, value string) *sidecar {
	metadata := map[string]string{
		metaMarker:   marker,
		metaETag:     r.Source.ETag,
		metaSize:     strconv.FormatInt(r.Source.Size, 10),
		metaComputed: r.ComputedAt.UTC().Format(time.RFC3339Nano),
	}
	if r.Source.VersionID != "" {
		metadata[metaVersionID] = r.Source.VersionID
	}
	if r.Source.Sequencer != "" {
		metadata[metaSequencer] = r.Source.Sequencer
	}
	return &sidecar{line: digest.FormatLine(value, path.Base(r.Source.Key)), metadata: metadata}
}

// record reads the sidecar as that of an object. It is none if bucketsum did not
// write it or its line is not one of the algorithm.
func (s *sidecar) record(o pipeline.Object, alg string) (pipeline.Record, bool) {
	if !s.ours() {
		return pipeline.Record{}, false
	}
	line, err := digest.ParseLine(strings.TrimSuffix(s.line, "\n"))
	if err != nil || !digest.Valid(alg, line.Value) {
		return pipeline.Record{}, false
	}
	o.ETag, o.VersionID, o.Sequencer = s.metadata[metaETag], s.metadata[metaVersionID], s.metadata[metaSequencer]
	if o.Size, err = strconv.ParseInt(s.metadata[metaSize], 10, 64); err != nil {
		return pipeline.Record{}, false
	}
	computed, err := time.Parse(time.RFC3339Nano, s.metadata[metaComputed])
	if err != nil {
		return pipeline.Record{}, false
	}
	return pipeline.Record{Source: o, Digests: map[string]string{alg: line.Value}, ComputedAt: computed}, true
}

// newerThan reports whether the sidecar is of a version of the object that is
// known to be newer than o.
func (s *sidecar) newerThan(o pipeline.Object, alg string) bool {
	r, ok := s.record(o, alg)
	return ok && !r.Source.SameVersion(o) && pipeline.CompareSequencers(r.Source.Sequencer, o.Sequencer) > 0
}

// joined returns the error that asks for the most care, with the texts of all:
// one sidecar that is superseded must not hide another that failed.
func joined(errs []error) error {
	rank := map[pipeline.Class]int{pipeline.ClassSuperseded: 1, pipeline.ClassPermanent: 2, pipeline.ClassTransient: 3}
	var worst error
	for _, err := range errs {
		if rank[pipeline.Classify(err)] > rank[pipeline.Classify(worst)] {
			worst = err
		}
	}
	return worst
}
