package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
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
