// Package cloudevents announces results as CloudEvents 1.0 in JSON (structured
// mode), on any topic that Watermill can publish to.
//
// A record that is there, or was there already, is announced as
// [TypeRecorded]; content that its store contradicts as [TypeMismatch]; the end of
// a record as [TypeRemoved]; an event that is given up as [TypeFailed]. The source
// is the bucket's URI, the subject the object's key, and schema.json describes the
// data.
//
// Every result is announced at least once. One that is announced again, because
// somebody died before the acknowledgement, has the id that it had.
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

// ContentType is what events are, in each message's metadata [MetadataContentType].
const (
	ContentType         = "application/cloudevents+json; charset=UTF-8"
	MetadataContentType = "content-type"
)

// Config says where results go. Publisher and Topic are needed.
type Config struct {
	Publisher message.Publisher
	Topic     string
	// Sources are the URIs of buckets, by the names that events carry. One that is
	// missing is "bucket:NAME".
	Sources map[string]string
	// KeepRecords says that the records of deleted objects are kept, so that their
	// end is not announced.
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

// NewPublisher returns what announces results. Safe for concurrent use if the
// configured Publisher is.
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
