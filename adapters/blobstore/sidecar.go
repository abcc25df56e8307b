package blobstore

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Keys of a record's metadata.
const (
	metaMarker    = "written-by"
	metaKey       = "source-key"
	metaETag      = "source-etag"
	metaVersionID = "source-version-id"
	metaSize      = "source-size" // bytes
	metaSequencer = "source-sequencer"
	metaComputed  = "computed-at" // RFC 3339
	metaRenewed   = "verified-at" // RFC 3339; missing: not since it was computed

	// Outcome of the checks against the claims of the store, as "etag md5, content-md5 md5".
	metaVerified        = "verified"         // match or mismatch; missing if nothing could be checked
	metaVerifiedAgainst = "verified-against" // claims that match the content
	metaMismatchWith    = "mismatch-with"    // claims that do not

	marker = "bucketsum"
)

var allAlgorithms = digest.Names()

// maxLine is more bytes than the line of any sidecar has: a value has 128, a key on S3 1,024,
// and half of the key may be escaped.
const maxLine = 4 << 10

// sidecar is a record as it is stored.
type sidecar struct {
	line     string            // as md5sum prints it, with its newline
	metadata map[string]string // nil if bucketsum did not write it
	archived bool              // only its metadata can be read
	blob     *driver.Blob      // as it was read; nil for a new one
	source   string            // the key of its object; of a new one only
	renewed  bool              // it says nothing new but when its object was verified; of a new one only
}

// sidecarOf interprets what is stored.
func sidecarOf(b *driver.Blob) *sidecar {
	s := &sidecar{line: string(b.Data), metadata: b.Metadata, archived: b.Archived, blob: b}
	if b.Detached {
		// bucketsum wrote it, but what the line was computed from is no longer known.
		s.metadata = map[string]string{metaMarker: marker, metaKey: b.Metadata[metaKey]}
	}
	return s
}

// withAsterisk returns a line of md5sum as md5sum --binary prints it.
func withAsterisk(line string) string { return strings.Replace(line, "  ", " *", 1) }

func newSidecar(r pipeline.Record, value string) *sidecar {
	metadata := map[string]string{
		metaMarker:   marker,
		metaKey:      sourceKey(r.Source.Key),
		metaETag:     r.Source.ETag,
		metaSize:     strconv.FormatInt(r.Source.Size, 10),
		metaComputed: formatTime(r.ComputedAt),
	}
	if !r.VerifiedAt.IsZero() {
		metadata[metaRenewed] = formatTime(r.VerifiedAt)
	}
	if r.Source.VersionID != "" {
		metadata[metaVersionID] = r.Source.VersionID
	}
	if r.Source.Sequencer != "" {
		metadata[metaSequencer] = r.Source.Sequencer
	}
	rememberChecks(metadata, r.Checks)
	return &sidecar{line: digest.FormatLine(value, path.Base(r.Source.Key)), metadata: metadata, source: r.Source.Key}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ours reports whether bucketsum wrote the sidecar.
func (s *sidecar) ours() bool { return isOurs(s.metadata) }

func isOurs(metadata map[string]string) bool { return metadata[metaMarker] == marker }

// of reports whether bucketsum wrote the sidecar for the object. Another layout may have the
// sidecar of another object at the same key, and a copy of a sidecar may have its metadata.
func (s *sidecar) of(o pipeline.Object) bool {
	key := s.metadata[metaKey]
	return s.ours() && (key == sourceKey(o.Key) || key == "" && s.blob != nil && s.blob.Detached)
}

// sourceKey returns what metadata holds of an object's key. S3 takes 2 KiB of metadata, in
// which a key of 1,024 bytes may take three times its length.
func sourceKey(key string) string {
	if len(url.PathEscape(key)) > 1024 {
		return "sha256-" + hashOf(key)
	}
	return key
}

// mayBeRecord reports whether some layout can have a record at the key: such a key contains the
// name of an algorithm.
func mayBeRecord(key string) bool {
	return slices.ContainsFunc(allAlgorithms, func(alg string) bool { return strings.Contains(key, alg) })
}

// ownRecord returns ErrOwnRecord if the object with this key and metadata is a sidecar that
// bucketsum wrote there, also by another layout.
func ownRecord(metadata map[string]string, key string) error {
	if source := metadata[metaKey]; isOurs(metadata) && source != "" && source != key && mayBeRecord(key) {
		return fmt.Errorf("it %w, of %q by another layout", pipeline.ErrOwnRecord, source)
	}
	return nil
}

// record reads the sidecar as the record of an object. It is not ok if bucketsum did not write
// it for the object, or if its line is not one of the algorithm and the object's name.
func (s *sidecar) record(o pipeline.Object, alg string) (pipeline.Record, bool) {
	if !s.of(o) {
		return pipeline.Record{}, false
	}
	values, alone := stated(s.line, o.Key, alg)
	if !s.archived && !alone {
		return pipeline.Record{}, false
	}
	var err error
	o.ETag, o.VersionID, o.Sequencer = s.metadata[metaETag], s.metadata[metaVersionID], s.metadata[metaSequencer]
	if o.Size, err = strconv.ParseInt(s.metadata[metaSize], 10, 64); err != nil || o.Size < 0 {
		return pipeline.Record{}, false
	}
	computed, err := time.Parse(time.RFC3339Nano, s.metadata[metaComputed])
	if err != nil {
		return pipeline.Record{}, false
	}
	r := pipeline.Record{Source: o, Digests: map[string]string{alg: ""}, ComputedAt: computed, Checks: rememberedChecks(s.metadata)}
	r.VerifiedAt, _ = time.Parse(time.RFC3339Nano, s.metadata[metaRenewed]) // zero if there is none
	if alone {
		r.Digests[alg] = values[0]
	}
	return r, true
}

// outdated reports whether bucketsum wrote the sidecar for another version of the object.
func (s *sidecar) outdated(o pipeline.Object, alg string) bool {
	r, ok := s.record(o, alg)
	return s.of(o) && (!ok || !r.Source.SameVersion(o))
}

// says reports whether the sidecar already tells everything that fresh would: the same line of
// the same version, with the same outcome of the checks.
func (s *sidecar) says(fresh *sidecar, o pipeline.Object, alg string) bool {
	r, ok := s.record(o, alg)
	verified := fresh.metadata[metaVerified]
	told, _ := fresh.record(o, alg)
	return ok && r.Digests[alg] == told.Digests[alg] && r.Source.SameVersion(o) && (verified == "" || verified == s.metadata[metaVerified])
}

// renew returns a sidecar with the time at which its object was verified last. Everything else stays as it is.
// It is not ok if the sidecar has that time, or a later one.
func (s *sidecar) renew(r pipeline.Record, alg string) (renewed *sidecar, ok bool) {
	if old, ok := s.record(r.Source, alg); !ok || !r.VerifiedAt.After(old.VerifiedAt) {
		return nil, false
	}
	metadata := maps.Clone(s.metadata)
	metadata[metaRenewed] = formatTime(r.VerifiedAt)
	return &sidecar{line: s.line, metadata: metadata, source: r.Source.Key, renewed: true}, true
}
