package cloudevents

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TypeShard is the type of the event that asks a worker for a shard of a pass. Package events decodes it.
const TypeShard = "io.bucketsum.sweep.shard.v1"

// shard is the data of a [TypeShard].
type shard struct {
	Pass    string `json:"pass"`
	Bucket  string `json:"bucket"`
	After   string `json:"after,omitempty"`
	Through string `json:"through,omitempty"`
	// The bytes of positions that are not UTF-8, which JSON cannot hold.
	AfterBytes   []byte `json:"after_base64,omitempty"`
	ThroughBytes []byte `json:"through_base64,omitempty"`
}

func shardOf(s pipeline.Shard) shard {
	data := shard{Pass: s.Pass, Bucket: s.Bucket, After: s.After, Through: s.Through}
	if !utf8.ValidString(s.After) {
		data.AfterBytes = []byte(s.After)
	}
	if !utf8.ValidString(s.Through) {
		data.ThroughBytes = []byte(s.Through)
	}
	return data
}

// ShardMessage returns the message that asks a worker for a shard. The id of the event is the same whenever the same
// shard is sent; that of the message differs, because a queue that drops repetitions would drop a shard that is sent
// again after its first message was lost. The pass is its tenant, see pipeline.MetadataTenant. The error is one of
// Shard.Validate, so that no message is sent that a worker refuses.
func ShardMessage(ctx context.Context, s pipeline.Shard) (*message.Message, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("send a shard of pass %.100q: %w", s.Pass, err)
	}
	id := hashOf(TypeShard, s.Pass, s.Bucket, s.After, s.Through)
	e := event[shard]{
		SpecVersion: "1.0", ID: id, Source: Config{}.source(s.Bucket), Type: TypeShard, Subject: s.Pass,
		Time: time.Now().UTC(), DataContentType: "application/json", Data: shardOf(s),
	}
	e.Traceparent, e.Tracestate = trace(ctx)
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err // cannot happen: strings and a time
	}
	msg := message.NewMessage(watermill.NewUUID(), body)
	msg.Metadata.Set(MetadataContentType, ContentType)
	msg.Metadata.Set(pipeline.MetadataTenant, s.Pass)
	msg.SetContext(ctx)
	return msg, nil
}
