package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/handlers/web/digestfield"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// lookupTimeout leaves time for an error answer within the write timeout.
const lookupTimeout = writeTimeout / 2

// Records are the records of a bucket. pipeline.Recorder implements it.
type Records interface {
	// Lookup returns the record of the object's key, for any version. pipeline.ErrNotFound if there
	// is none.
	Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error)
}

// recordAnswer is the answer of GET /records: the record of an object. Fields may be added and are never
// renamed.
type recordAnswer struct {
	Bucket     string            `json:"bucket"`
	Key        string            `json:"key"`
	VersionID  string            `json:"version_id,omitempty"` // of the object that was read
	ETag       string            `json:"etag,omitempty"`       // of the object that was read
	Size       int64             `json:"size"`                 // bytes
	Digests    map[string]string `json:"digests"`              // by algorithm
	ComputedAt time.Time         `json:"computed_at"`
}

// records answers with the record of the object that the query names.
func (s *service) records(w http.ResponseWriter, r *http.Request) {
	bucket, key, wrong := recordQuery(r)
	if wrong != "" {
		answerError(w, http.StatusBadRequest, wrong)
		return
	}
	record, fault := s.lookup(r, bucket, key)
	if fault != nil {
		answerError(w, fault.status, fault.title)
		return
	}
	answerDocument(w, r, answerOf(bucket, key, record))
}

// lookup returns the record of an object, or why there is none.
func (s *service) lookup(r *http.Request, bucket, key string) (pipeline.Record, *problem) {
	records, ok := s.config.Records[bucket]
	if !ok {
		return pipeline.Record{}, &problemNoBucket
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	record, _, err := records.Lookup(ctx, pipeline.Object{Bucket: bucket, Key: key, Size: pipeline.UnknownSize})
	switch {
	case errors.Is(err, pipeline.ErrNotFound), pipeline.Classify(err) == pipeline.ClassPermanent:
		return record, &problemNoRecord // or no object can have that key
	case err != nil:
		// The error is for the log of the operator, not for the client.
		s.config.Log.WarnContext(r.Context(), "record not read", "bucket", bucket, "key", key, "err", err)
		return record, &problemStore
	}
	return record, nil
}

func answerOf(bucket, key string, record pipeline.Record) recordAnswer {
	return recordAnswer{
		Bucket: bucket, Key: key, VersionID: record.Source.VersionID, ETag: record.Source.ETag,
		Size: record.Source.Size, Digests: record.Digests, ComputedAt: live.Stamp(record.ComputedAt),
	}
}

// buckets names the buckets that have records.
func (s *service) buckets() string {
	names := slices.Sorted(maps.Keys(s.config.Records))
	const most = 10
	more := ""
	if n := len(names) - most; n > 0 {
		names, more = names[:most], fmt.Sprintf(" and %d more", n)
	}
	return "The buckets here: " + readable.Text(strings.Join(names, ", ")) + more
}

// recordQuery returns the object that a query names, or why the query is wrong.
func recordQuery(r *http.Request) (bucket, key, wrong string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	bucket, key = query.Get("bucket"), query.Get("key")
	switch {
	case err != nil:
		return "", "", "The query is malformed"
	case len(query["bucket"]) != 1 || len(query["key"]) != 1 || bucket == "" || key == "":
		return "", "", "Name one object: /records?bucket=NAME&key=KEY"
	}
	return bucket, key, wrongName(bucket, key)
}

// wrongName returns why no object can have these names, if that is so.
func wrongName(bucket, key string) string {
	switch {
	case len(bucket) > pipeline.MaxBucketName:
		return fmt.Sprintf("The bucket's name is longer than %d bytes", pipeline.MaxBucketName)
	case len(key) > pipeline.MaxKey:
		return fmt.Sprintf("The key is longer than %d bytes", pipeline.MaxKey)
	case !utf8.ValidString(bucket + key):
		return "The name is not UTF-8"
	}
	return ""
}

// recordV1 is the answer of GET /v1/records. Fields may be added and are never renamed.
type recordV1 struct {
	recordAnswer
	VerifiedAt *time.Time    `json:"verified_at,omitempty"` // when the content was last read again and was the same
	Checks     []checkAnswer `json:"checks"`                // what the content was compared with
	// ReprDigest is what a server that sends the object can send as its header Repr-Digest.
	ReprDigest string `json:"repr_digest,omitempty"`
}

// checkAnswer is the comparison of content with a checksum that its store states.
type checkAnswer struct {
	Name      string         `json:"name"` // where the store states it, such as etag
	Algorithm string         `json:"algorithm"`
	Outcome   digest.Outcome `json:"outcome"` // match, mismatch or unchecked
}

// record answers with the record of the object that the path names. Repr-Digest is that of the answer, as RFC 9530
// has it.
func (s *service) record(w http.ResponseWriter, r *http.Request) {
	bucket, key, wrong := objectOf(r, "/v1/records/")
	if wrong != "" {
		problemName.answer(w, r, wrong)
		return
	}
	record, fault := s.lookup(r, bucket, key)
	switch fault {
	case nil:
	case &problemNoBucket:
		fault.answer(w, r, s.buckets())
		return
	case &problemNoRecord:
		fault.answer(w, r, "The worker has not recorded it yet, or there is no such object")
		return
	default:
		fault.answer(w, r, "The log of the worker says why")
		return
	}
	answer := recordV1{recordAnswer: answerOf(bucket, key, record), Checks: []checkAnswer{}, ReprDigest: digestfield.Format(record.Digests)}
	if !record.VerifiedAt.IsZero() {
		at := live.Stamp(record.VerifiedAt)
		answer.VerifiedAt = &at
	}
	for _, c := range record.Checks {
		answer.Checks = append(answer.Checks, checkAnswer{c.Name, c.Algorithm, c.Outcome})
	}
	body, err := live.JSON(answer)
	if err != nil { // cannot happen: every field can be encoded
		problemInternal.answer(w, r, "")
		return
	}
	body = append(body, '\n')
	sum := sha256.Sum256(body)
	w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	serve(w, r, "application/json", body)
}

// objectOf returns the object that a path names below a prefix, or why it names none. A key is everything after the
// bucket, also if it has empty or dotted elements or ends with a slash.
func objectOf(r *http.Request, prefix string) (bucket, key, wrong string) {
	name := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	bucket, key, _ = strings.Cut(name, "/")
	bucket, err := url.PathUnescape(bucket)
	if err == nil {
		key, err = url.PathUnescape(key)
	}
	switch {
	case err != nil: // cannot happen: the server has refused such paths
		return "", "", "The path is malformed"
	case bucket == "" || key == "":
		return "", "", "Name one object: " + prefix + "{bucket}/{key}"
	}
	return bucket, key, wrongName(bucket, key)
}
