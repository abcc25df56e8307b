// Package cloudevents publishes results as CloudEvents 1.0 in JSON (structured mode), on
// any topic that Watermill can publish to.
//
// An object that has its record is announced as [TypeRecorded], also if the record existed
// before; content that differs from what its store claims as [TypeMismatch]; an object whose
// record was removed as [TypeRemoved]; an event that was given up as [TypeFailed]. The
// source is the bucket's URI, the subject is the object's key, and schema.json describes the
// data.
//
// Every result is announced at least once. A repeated announcement, as after a crash before
// the acknowledgement, has the same id.
package cloudevents

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Schema is the JSON Schema of the data of all events.
//
//go:embed schema.json
var Schema []byte

// ContentType is the media type of events. Each message has it in its metadata, by the name
// [MetadataContentType].
const (
	ContentType         = "application/cloudevents+json; charset=UTF-8"
	MetadataContentType = "content-type"
)

// Config says where results go. Publisher and Topic are needed.
type Config struct {
	Publisher message.Publisher
	Topic     string
	// Sources holds the URIs of buckets, by the names that events carry. The URI of a
	// bucket that is missing is "bucket:NAME".
	Sources map[string]string
	// KeepRecords means that the records of deleted objects are kept. [TypeRemoved] is
	// then not announced for them.
	KeepRecords bool
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Publisher == nil {
		faults = append(faults, errors.New("no Publisher"))
	}
	if c.Topic == "" {
		faults = append(faults, errors.New("no Topic"))
	}
	return errors.Join(faults...)
}

// NewPublisher returns a function that announces results. It is safe for concurrent use if
// c.Publisher is.
func NewPublisher(c Config) (pipeline.Publisher, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cloudevents: %w", err)
	}
	return c.publish, nil
}

func (c Config) publish(ctx context.Context, r pipeline.Result) error {
	kind := c.typeOf(r.Outcome)
	if kind == "" {
		return nil
	}
	body, id, err := c.encode(ctx, r, kind)
	if err != nil {
		return err
	}
	msg := message.NewMessage(id, body)
	msg.Metadata.Set(MetadataContentType, ContentType)
	msg.SetContext(ctx)
	return c.Publisher.Publish(c.Topic, msg)
}
