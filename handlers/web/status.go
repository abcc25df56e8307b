package web

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Status is what bucketsum is doing, as GET /status answers it. Scripts read
// it: fields are added, never renamed. Times are RFC 3339 in UTC, sizes bytes. A
// key is exactly the object's, but for bytes that are not UTF-8 (each becomes
// U+FFFD) and for what is beyond 4,096 bytes (cut).
type Status struct {
	StartedAt   time.Time `json:"started_at"`
	Totals      Totals    `json:"totals"`        // since StartedAt
	InWork      []Work    `json:"in_work"`       // what is being read; those of 100 that began first
	InWorkCount int       `json:"in_work_count"` // how many there are
	Results     []Done    `json:"results"`       // the last 100, newest first
	// Failures are those of the last 100 whose object did not succeed since,
	// newest first, one for each object.
	Failures []Failure `json:"failures"`
}

// Totals counts what was done.
type Totals struct {
	Summed   int64 `json:"summed"`   // objects that were read and recorded
	Bytes    int64 `json:"bytes"`    // their sizes
	Current  int64 `json:"current"`  // objects that had the record of their version
	Removed  int64 `json:"removed"`  // records of deleted objects
	Kept     int64 `json:"kept"`     // deleted objects whose record was left, or that had none
	Failed   int64 `json:"failed"`   // failures that nobody tries again
	Returned int64 `json:"returned"` // deliveries that went back to the queue
	// What was compared with what the store claims of the content. An object whose
	// event comes again counts again.
	Verified   int64 `json:"verified"`   // objects that were read and fulfil a claim
	Mismatched int64 `json:"mismatched"` // objects that do not
	Unchecked  int64 `json:"unchecked"`  // claims that could not be compared
}

// Work is an object that is being read.
type Work struct {
	Bucket    string    `json:"bucket"`
	Key       string    `json:"key"`
	VersionID string    `json:"version_id,omitempty"`
	Size      *int64    `json:"size"` // null: unknown
	Read      int64     `json:"read"` // bytes so far
	StartedAt time.Time `json:"started_at"`
}

// Done is what became of one object.
type Done struct {
	At        time.Time         `json:"at"`
	Outcome   pipeline.Outcome  `json:"outcome"` // recorded, current, removed, kept or mismatch
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	VersionID string            `json:"version_id,omitempty"`
	Size      *int64            `json:"size"`    // null: unknown, or the object is gone
	Digests   map[string]string `json:"digests"` // by algorithm; empty if the object is gone
	Seconds   float64           `json:"duration_seconds"`
}

// Failure is an object that got no checksum, or a message that could not be
// read, which has neither bucket nor key.
type Failure struct {
	At        time.Time `json:"at"`
	Bucket    string    `json:"bucket"`
	Key       string    `json:"key"`
	VersionID string    `json:"version_id,omitempty"`
	MessageID string    `json:"message_id,omitempty"`
	Attempt   int       `json:"attempt,omitempty"` // deliveries so far
	Reason    string    `json:"reason"`
	Final     bool      `json:"final"` // nobody tries again
}

// status answers what is being done.
func (s *service) status(w http.ResponseWriter, r *http.Request) {
	answerDocument(w, r, s.config.Status())
}

// answerDocument answers v as JSON. A client that knows it already is told so.
func answerDocument(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil { // cannot be: nothing in it depends on what came from outside
		answerError(w, http.StatusInternalServerError, "The answer cannot be written")
		return
	}
	serve(w, r, "application/json", append(escaped(body), '\n'))
}

// escaped writes what a terminal would act on, such as a change of direction, as
// JSON's escapes. Such characters are only ever in strings.
func escaped(body []byte) []byte {
	printable := func(r rune) bool { return r < utf8.RuneSelf || unicode.IsPrint(r) }
	if bytes.IndexFunc(body, func(r rune) bool { return !printable(r) }) < 0 {
		return body
	}
	out := make([]byte, 0, len(body)+64)
	for _, r := range string(body) {
		if printable(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

// serve answers a body with an ETag. It is kept by no cache, as it names objects.
func serve(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	sum := fnv.New128a()
	_, _ = sum.Write(body) // never fails
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+hex.EncodeToString(sum.Sum(nil))+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
