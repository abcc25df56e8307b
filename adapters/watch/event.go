package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// Stand-ins for values that AWS would set.
const (
	account = "000000000000"
	region  = "local"
	address = "127.0.0.1"
)

// event is an S3 event as EventBridge delivers it, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
type event struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     detail   `json:"detail"`
}

type detail struct {
	Version string `json:"version"`
	Bucket  struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size,omitempty"` // none if it was deleted
		ETag      string `json:"etag,omitempty"` // none if it was deleted before it was announced
		Sequencer string `json:"sequencer"`
	} `json:"object"`
	RequestID       string `json:"request-id"`
	Requester       string `json:"requester"`
	SourceIPAddress string `json:"source-ip-address"`
	Reason          string `json:"reason"`
	DeletionType    string `json:"deletion-type,omitempty"`
}

// change is what happened to one key.
type change struct {
	key     string
	version filebucket.Version // of the file, or of the last one that was announced
	deleted bool
	initial bool // it existed at the start
	at      time.Time
}

// etag returns the ETag that the file had when it was last announced; empty if it
// never was. A read that is pinned to the event depends on it.
func (c change) etag() string {
	if c.version == unannounced {
		return ""
	}
	return c.version.ETag()
}

// object returns the object that changed.
func (c change) object(bucket string) pipeline.Object {
	return pipeline.Object{Bucket: bucket, Key: c.key, ETag: c.etag(), Size: c.version.Size}
}

func newEvent(bucket string, c change, sequencer string) event {
	e := event{
		Version:    "0",
		ID:         watermill.NewUUID(),
		DetailType: "Object Created",
		Source:     "aws.s3",
		Account:    account,
		Time:       c.at.UTC().Format(time.RFC3339),
		Region:     region,
		Resources:  []string{"arn:aws:s3:::" + bucket},
	}
	d := &e.Detail
	d.Version = "0"
	d.Bucket.Name = bucket
	d.Object.Key, d.Object.ETag, d.Object.Sequencer = c.key, c.etag(), sequencer
	d.RequestID, d.Requester, d.SourceIPAddress = sequencer, account, address
	if c.deleted {
		e.DetailType, d.Reason, d.DeletionType = "Object Deleted", "DeleteObject", "Permanently Deleted"
	} else {
		d.Reason, d.Object.Size = "PutObject", &c.version.Size
	}
	return e
}

// encode returns the event as JSON. As in EventBridge, keys are not escaped for
// HTML.
func (e event) encode() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// sequencer makes sequencers: 16 hexadecimal digits that rise with each event and,
// as long as the clock does, with each start.
type sequencer struct{ last int64 }

func (s *sequencer) next(now time.Time) string {
	s.last = max(now.UnixNano(), s.last+1)
	return fmt.Sprintf("%016X", s.last)
}
