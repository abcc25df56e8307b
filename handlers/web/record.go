package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

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
		fault.answer(w, r, "The buckets are those of --bucket, by their names in events")
		return
	case &problemNoRecord:
		fault.answer(w, r, "The worker has not recorded it yet, or there is no such object")
		return
	default:
		fault.answer(w, r, "The log of the worker says why")
		return
	}
	answer := recordV1{recordAnswer: answerOf(bucket, key, record), Checks: []checkAnswer{}, ReprDigest: digestField(record.Digests)}
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
	r.Header.Del("Range") // the answer is small
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
