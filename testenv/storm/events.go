package storm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"
)

// sequence makes sequencers, which rise with each change of any key.
var sequence atomic.Int64

func nextSequencer() string { return fmt.Sprintf("%018X", sequence.Add(1)) }

// s3Event is an event as EventBridge delivers it for S3, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
type s3Event struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     struct {
		Version string `json:"version"`
		Bucket  struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      *int64 `json:"size,omitempty"`
			ETag      string `json:"etag,omitempty"`
			VersionID string `json:"version-id,omitempty"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
		RequestID       string `json:"request-id"`
		Requester       string `json:"requester"`
		SourceIPAddress string `json:"source-ip-address"`
		Reason          string `json:"reason"`
		DeletionType    string `json:"deletion-type,omitempty"`
	} `json:"detail"`
}

func newEvent(bucket, key, detailType, reason string) *s3Event {
	sequencer := nextSequencer()
	e := &s3Event{
		Version: "0", ID: "storm-" + sequencer, DetailType: detailType, Source: "aws.s3", Account: "123456789012",
		Time: time.Now().UTC().Format(time.RFC3339), Region: "us-east-1", Resources: []string{"arn:aws:s3:::" + bucket},
	}
	d := &e.Detail
	d.Version, d.Bucket.Name, d.Object.Key, d.Object.Sequencer, d.Reason = "0", bucket, key, sequencer, reason
	d.RequestID, d.Requester, d.SourceIPAddress = "C3D13FE58DE4C810", "123456789012", "127.0.0.1"
	return e
}

func created(bucket, key string, v version, reason string) *s3Event {
	e := newEvent(bucket, key, "Object Created", reason)
	size := int64(v.content.size)
	e.Detail.Object.Size, e.Detail.Object.ETag, e.Detail.Object.VersionID = &size, v.etag, v.id
	return e
}

// deleted is the event of a deletion: of a key, of a key with versions (id is the marker's),
// or of one version.
func deleted(bucket, key, id, deletion string) *s3Event {
	e := newEvent(bucket, key, "Object Deleted", "DeleteObject")
	e.Detail.Object.VersionID, e.Detail.DeletionType = id, deletion
	return e
}

const (
	permanently = "Permanently Deleted"
	withMarker  = "Delete Marker Created"
)

func (e *s3Event) encode() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // as EventBridge does
	if err := enc.Encode(e); err != nil {
		panic(err) // it consists of strings and numbers
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// outbox sends events late, twice and out of order.
type outbox struct {
	dice    *dice
	sent    *tally
	pending atomic.Int64
	short   bool // delays of a short storm
}

// post sends the body of a message: mostly at once, sometimes after a delay, sometimes again.
func (b *outbox) post(q *queue, body string) {
	b.later(q, body, b.delay(), "event")
	for b.dice.float() < 0.12 {
		b.later(q, body, b.delay()+b.dice.upTo(2*time.Second), "doubled event")
	}
}

func (b *outbox) delay() time.Duration {
	longest := 20 * time.Second
	if b.short {
		longest = 5 * time.Second
	}
	switch p := b.dice.float(); {
	case p < 0.6:
		return 0
	case p < 0.93:
		return b.dice.upTo(1500 * time.Millisecond)
	default:
		return b.dice.upTo(longest)
	}
}

func (b *outbox) later(q *queue, body string, d time.Duration, what string) {
	if d > time.Second {
		b.sent.add("delayed by more than 1 s")
	}
	b.sent.add(what)
	b.pending.Add(1)
	time.AfterFunc(d, func() {
		defer b.pending.Add(-1)
		if err := q.client.send(context.Background(), q.name, body); err != nil {
			panic(err) // the model is in this process and does not fail
		}
	})
}
