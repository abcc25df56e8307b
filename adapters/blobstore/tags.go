package blobstore

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Names of tags. Names and values use only what S3 allows: letters, digits, spaces and + - = .
// _ : / @, 256 characters.
const (
	tagSource   = "bucketsum"          // the version that was read: "etag=… size=… of=… at=… version=… sequencer=…"
	tagVerified = "bucketsum:verified" // outcomes of checks: "etag/md5=match …"
	tagDigest   = "bucketsum:"         // followed by the name of an algorithm: the checksum in hexadecimal

	tagLimit      = 10  // of one object
	tagValueLimit = 256 // characters
)

var tagValue = regexp.MustCompile(`^[\pL\pN\pZ+\-=._:/@]*$`)

// tagRecords implements pipeline.Recorder with tags of the objects themselves: one tag names
// the version that was read, one has the outcome of the checks, and each checksum has one.
//
// A request replaces all tags of an object, and S3 has no condition for it: of two programs
// that tag an object at the same instant, one loses its tags. Within this process one object is
// tagged at a time.
type tagRecords struct {
	tags       driver.Tagger
	stat       func(ctx context.Context, key string) (driver.State, error)
	algorithms []string
	locks      driver.Locks
}

var _ pipeline.Recorder = (*tagRecords)(nil)

// IsRecord implements pipeline.Recorder: tags have no keys.
func (r *tagRecords) IsRecord(key string) bool { return isReserved(key) }

// Remove implements pipeline.Recorder: the tags disappear with their object.
func (r *tagRecords) Remove(context.Context, pipeline.Object, pipeline.Seen) (bool, error) {
	return false, nil
}

// Lookup implements pipeline.Recorder. Each version has its own tags; it returns those of the
// version that o names, else of the current one.
func (r *tagRecords) Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	tags, version, err := r.tags.ReadTags(ctx, o)
	if err != nil {
		return pipeline.Record{}, nil, fmt.Errorf("read the tags of %s: %w", printable(o), err)
	}
	if version == "" && o.VersionID == "" && strings.Contains(tags[tagSource], " version=") {
		// Not every store tells which version has the tags. They are of the current one if they name it.
		now, err := r.stat(ctx, o.Key)
		if err != nil {
			return pipeline.Record{}, nil, fmt.Errorf("find the version of %s that has the tags: %w", printable(o), err)
		}
		version = now.VersionID
	}
	record, ok := r.parse(o, version, tags)
	if !ok {
		return pipeline.Record{}, nil, fmt.Errorf("record of %s: %w", printable(o), pipeline.ErrNotFound)
	}
	return record, nil, nil
}

// Save implements pipeline.Recorder. Tags of others stay. There is no condition that could compare what
// was seen: it reads the tags just before it writes them.
func (r *tagRecords) Save(ctx context.Context, record pipeline.Record, _ pipeline.Seen) error {
	if err := r.save(ctx, record); err != nil {
		return fmt.Errorf("tag %s: %w", printable(record.Source), err)
	}
	return nil
}

func (r *tagRecords) save(ctx context.Context, record pipeline.Record) error {
	o := record.Source
	unlock, err := r.locks.Lock(ctx, o.Key)
	if err != nil {
		return err
	}
	defer unlock()
	tags, version, err := r.tags.ReadTags(ctx, o)
	if err != nil {
		return err
	}
	fresh := maps.Clone(tags)
	old, ok := r.parse(o, version, tags)
	same := ok && old.Source.SameVersion(o)
	if !same {
		maps.DeleteFunc(fresh, func(name, _ string) bool { return name == tagSource || strings.HasPrefix(name, tagDigest) })
	}
	for _, alg := range r.algorithms {
		if value := record.Digests[alg]; value != "" {
			fresh[tagDigest+alg] = value
		}
	}
	switch verified := formatChecks(record.Checks); {
	case verified != "":
		fresh[tagVerified] = verified
	case same && record.ComputedAt.After(old.ComputedAt):
		delete(fresh, tagVerified) // it belongs to an earlier reading
	}
	if same && maps.Equal(fresh, tags) {
		return nil // everything is recorded already
	}
	fresh[tagSource] = formatSource(record)
	if n := len(fresh); n > tagLimit {
		return pipeline.Permanent(fmt.Errorf("it would have %d tags, more than the %d that are allowed: remove some, compute fewer checksums, or choose --record-to sidecar", n, tagLimit))
	}
	if v := fresh[tagSource]; len(v) > tagValueLimit || !tagValue.MatchString(v) || strings.Contains(o.ETag, " ") {
		return pipeline.Permanent(fmt.Errorf("its ETag %q cannot be part of a tag: choose --record-to sidecar", o.ETag))
	}
	return r.tags.WriteTags(ctx, o, fresh)
}

// parse reads tags as the record of an object. It is not ok if the tags were copied from
// another object along with its content, or from another version: its content may be another one.
func (r *tagRecords) parse(o pipeline.Object, version string, tags map[string]string) (pipeline.Record, bool) {
	fields := make(map[string]string)
	for field := range strings.FieldsSeq(tags[tagSource]) {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	size, err := strconv.ParseInt(fields["size"], 10, 64)
	at, terr := time.Parse(time.RFC3339Nano, fields["at"])
	if err != nil || terr != nil || size < 0 || fields["etag"] == "" || fields["of"] != nameHash(o) {
		return pipeline.Record{}, false
	}
	if v := fields["version"]; v != "" && version != "" && v != versionHash(version) {
		return pipeline.Record{}, false
	}
	o.ETag, o.Size, o.VersionID, o.Sequencer = fields["etag"], size, version, fields["sequencer"]
	record := pipeline.Record{Source: o, ComputedAt: at, Digests: make(map[string]string), Checks: parseChecks(tags[tagVerified])}
	for _, alg := range r.algorithms {
		if value := tags[tagDigest+alg]; digest.Valid(alg, value) {
			record.Digests[alg] = value
		}
	}
	return record, len(record.Digests) > 0
}

func formatSource(r pipeline.Record) string {
	o := r.Source
	s := fmt.Sprintf("etag=%s size=%d of=%s at=%s", o.ETag, o.Size, nameHash(o), r.ComputedAt.UTC().Format(time.RFC3339Nano))
	if o.VersionID != "" {
		s += " version=" + versionHash(o.VersionID)
	}
	if o.Sequencer != "" {
		s += " sequencer=" + o.Sequencer
	}
	return s
}

// nameHash stands for the name of an object, which may be too long for a tag.
func nameHash(o pipeline.Object) string { return hashOf(o.Bucket + "/" + o.Key)[:16] }

// versionHash stands for the id of a version. It need not withstand an attack: only who may write tags can choose it.
func versionHash(id string) string { return hashOf(id)[:8] }

// formatChecks returns the outcomes of checks, mismatches first, as many as a tag can hold.
func formatChecks(checks []pipeline.Check) string {
	var all []string
	for _, outcome := range []digest.Outcome{digest.Mismatch, digest.Match} {
		for _, c := range checks {
			if c.Outcome == outcome {
				all = append(all, c.Name+"/"+c.Algorithm+"="+string(outcome))
			}
		}
	}
	for len(strings.Join(all, " ")) > tagValueLimit {
		all = all[:len(all)-1]
	}
	return strings.Join(all, " ")
}

func parseChecks(s string) []pipeline.Check {
	var checks []pipeline.Check
	for field := range strings.FieldsSeq(s) {
		claim, outcome, _ := strings.Cut(field, "=")
		name, algorithm, ok := strings.Cut(claim, "/")
		if o := digest.Outcome(outcome); ok && (o == digest.Match || o == digest.Mismatch) {
			checks = append(checks, pipeline.Check{Name: name, Algorithm: algorithm, Verdict: digest.Verdict{Outcome: o}})
		}
	}
	return checks
}
