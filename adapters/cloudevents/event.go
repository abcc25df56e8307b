package cloudevents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// The types of events.
const (
	TypeRecorded = "io.bucketsum.checksum.recorded.v1" // the object has its record
	TypeMismatch = "io.bucketsum.checksum.mismatch.v1" // the content differs from a claim of its store
	TypeRemoved  = "io.bucketsum.checksum.removed.v1"  // the object is gone and has no record
	TypeFailed   = "io.bucketsum.checksum.failed.v1"   // the event was given up
)

// event is a CloudEvent in JSON.
type event[T any] struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Traceparent     string    `json:"traceparent,omitempty"`
	Tracestate      string    `json:"tracestate,omitempty"`
	Data            T         `json:"data"`
}

// Data is the data of an event. schema.json describes it.
type Data struct {
	Bucket          string            `json:"bucket"`
	Key             string            `json:"key"`
	VersionID       string            `json:"version_id,omitempty"`
	ETag            string            `json:"etag,omitempty"`
	Size            *int64            `json:"size,omitempty"` // bytes
	Checksums       map[string]string `json:"checksums,omitempty"`
	ChecksumsBase64 map[string]string `json:"checksums_base64,omitempty"`
	ComputedAt      *time.Time        `json:"computed_at,omitempty"`
	DurationSeconds float64           `json:"duration_seconds,omitempty"`
	SourceEventID   string            `json:"source_event_id,omitempty"`
	VerifiedAgainst []Check           `json:"verified_against,omitempty"`
	Recorded        *bool             `json:"recorded,omitempty"`
	Reason          string            `json:"reason,omitempty"`
}

// Check is a comparison of the content with a claim of its store.
type Check struct {
	Claim     string         `json:"claim"`
	Algorithm string         `json:"algorithm"`
	Outcome   digest.Outcome `json:"outcome"`
	Claimed   string         `json:"claimed,omitempty"`
	Computed  string         `json:"computed,omitempty"`
	Reason    string         `json:"reason,omitempty"`
}

// typeOf returns the type of the event that announces an outcome, or "" if the outcome is
// not announced.
func (c Config) typeOf(o pipeline.Outcome) string {
	switch o {
	case pipeline.Recorded, pipeline.Current:
		// Current, too: the worker that wrote the record may have died before it
		// announced that.
		return TypeRecorded
	case pipeline.Mismatch:
		return TypeMismatch
	case pipeline.Removed:
		return TypeRemoved
	case pipeline.Failed:
		return TypeFailed
	case pipeline.Kept:
		if !c.KeepRecords { // the object has no record, or has none any more
			return TypeRemoved
		}
	}
	return ""
}

// encode returns a result as an event of the type kind, and the event's id.
func (c Config) encode(ctx context.Context, r pipeline.Result, kind string) (body []byte, id string, err error) {
	o := r.Record.Source
	id = idOf(kind, r)
	e := event[Data]{
		SpecVersion: "1.0", ID: id, Source: c.source(o.Bucket), Type: kind, Subject: subject(o.Key),
		Time: time.Now().UTC(), DataContentType: "application/json",
		Data: Data{
			Bucket: o.Bucket, Key: o.Key, VersionID: o.VersionID, ETag: o.ETag,
			DurationSeconds: r.Duration.Seconds(), SourceEventID: r.Event.ID, Reason: r.Reason,
		},
	}
	e.Traceparent, e.Tracestate = trace(ctx)
	if o.Size >= 0 && kind != TypeRemoved {
		e.Data.Size = &o.Size
	}
	if at := r.Record.ComputedAt; !at.IsZero() {
		at = at.UTC()
		e.Time, e.Data.ComputedAt = at, &at
	}
	if kind == TypeMismatch {
		e.Data.Recorded = &r.Saved
	}
	for name, value := range r.Record.Digests {
		in64, err := digest.Base64(name, value)
		if err != nil {
			return nil, "", fmt.Errorf("checksums of %s: %w", o, err)
		}
		if e.Data.Checksums == nil {
			e.Data.Checksums, e.Data.ChecksumsBase64 = make(map[string]string), make(map[string]string)
		}
		e.Data.Checksums[name], e.Data.ChecksumsBase64[name] = value, in64
	}
	for _, k := range r.Record.Checks {
		e.Data.VerifiedAgainst = append(e.Data.VerifiedAgainst,
			Check{k.Name, k.Algorithm, k.Outcome, k.Claimed, k.Computed, k.Reason})
	}
	body, err = json.Marshal(e)
	return body, id, err
}

// idOf returns the event's id. It is the same whenever the same event of the store has the
// same result, so that a consumer can drop an event whose source and id it has seen.
func idOf(kind string, r pipeline.Result) string {
	o := r.Record.Source
	return hashOf(kind, r.Event.Identity(), o.Bucket, o.Key, o.VersionID, o.ETag)
}

func hashOf(parts ...string) string {
	// The lengths separate the parts: a key that ends with "v" and the version "1" are
	// not the key without it and the version "v1".
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// source returns the URI of a bucket.
func (c Config) source(bucket string) string {
	if uri := c.Sources[bucket]; uri != "" {
		return uri
	}
	return "bucket:" + url.PathEscape(bucket) // not in c.Sources
}

// SourceOf returns the URI of a bucket by its name and the URL with which bucketsum opens
// it. The URI has neither the credentials nor the parameters of the URL. It is "" if rawURL
// is not a URL.
func SourceOf(name, rawURL string) string {
	u, err := redact.Parse(rawURL)
	if err != nil || u.Scheme == "" {
		return ""
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.Host == "" && strings.Trim(u.Path, "/") == "" {
		bare.Host, bare.Path = name, ""
	}
	return bare.String()
}

// subject returns a key as a CloudEvents attribute. Control characters, noncharacters and
// bytes that are not UTF-8 are not allowed there, and are percent-encoded. So is a key of
// nothing but spaces, which CloudEvents' Go SDK takes for empty. The data has the unencoded key.
func subject(key string) string {
	if strings.TrimSpace(key) == "" {
		return percent(key)
	}
	var b strings.Builder
	for i := 0; i < len(key); {
		r, n := utf8.DecodeRuneInString(key[i:])
		if allowed(r, n) {
			b.WriteString(key[i : i+n])
		} else {
			b.WriteString(percent(key[i : i+n]))
		}
		i += n
	}
	return b.String()
}

func allowed(r rune, n int) bool {
	switch {
	case r == utf8.RuneError && n == 1, r < ' ', r >= 0x7f && r <= 0x9f:
		return false
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe: // noncharacters
		return false
	}
	return true
}

func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

var (
	traceparentForm = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	tracestateForm  = regexp.MustCompile(`^[ -~]{1,512}$`)
)

// trace returns the traceparent and tracestate of ctx, or "" for one that is malformed.
func trace(ctx context.Context) (parent, state string) {
	t := pipeline.TraceOf(ctx)
	if !traceparentForm.MatchString(t.Parent) {
		return "", ""
	}
	if !tracestateForm.MatchString(t.State) {
		return t.Parent, ""
	}
	return t.Parent, t.State
}
