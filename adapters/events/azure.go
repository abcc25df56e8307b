package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	eventGridForm   = "Event Grid"
	cloudEventsForm = "CloudEvents"
)

// gridEvent is an event in Event Grid's own schema or in that of CloudEvents 1.0, see
// https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage.
type gridEvent struct {
	SpecVersion json.RawMessage `json:"specversion"` // CloudEvents only
	ID          string          `json:"id"`
	Subject     string          `json:"subject"`
	EventType   string          `json:"eventType"` // Event Grid
	EventTime   moment          `json:"eventTime"`
	Type        string          `json:"type"` // CloudEvents
	Time        moment          `json:"time"`
	Data        json.RawMessage `json:"data"`
}

type blobData struct {
	API           string `json:"api"`
	ETag          string `json:"eTag"`
	ContentLength *int64 `json:"contentLength"`
	Sequencer     string `json:"sequencer"`
}

// startsFile holds the operations that create a file before its content is written. The
// operations that end the writing, FlushWithClose and SftpCommit, have events of their own.
var startsFile = map[string]bool{"CreateFile": true, "SftpCreate": true}

func decodeEventGridBatch(body []byte) ([]pipeline.Event, error) {
	return each("batch", body, decodeEventGrid)
}

func decodeEventGrid(raw []byte) (pipeline.Event, error) {
	var e gridEvent
	if err := unmarshal("", raw, &e); err != nil {
		return pipeline.Event{}, fmt.Errorf("%s: %w", eventGridForm, err)
	}
	form, field, name, at := eventGridForm, "eventType", e.EventType, e.EventTime
	if e.SpecVersion != nil {
		form, field, name, at = cloudEventsForm, "type", e.Type, e.Time
	}
	if name == "" {
		return pipeline.Event{}, fmt.Errorf("%s: %s is missing", form, field)
	}
	event := ignored(name, e.ID, at)
	switch name {
	case "Microsoft.Storage.BlobCreated":
		event.Kind = pipeline.Created
	case "Microsoft.Storage.BlobDeleted":
		event.Kind = pipeline.Deleted
	default:
		return event, nil
	}
	var data blobData
	if err := unmarshal("data", e.Data, &data); err != nil {
		return pipeline.Event{}, fmt.Errorf("%s: %w", form, err)
	}
	if event.Kind == pipeline.Created && startsFile[data.API] {
		event.Kind = pipeline.Ignored
		return event, nil
	}
	o, err := blobOf(e.Subject, data, raw)
	if err != nil {
		return pipeline.Event{}, fmt.Errorf("%s: %w", form, err)
	}
	event.Object = o
	return event, nil
}

// blobOf returns the blob that the subject names. The subject has the unescaped name; that
// in data.url may be escaped.
func blobOf(subject string, data blobData, raw []byte) (pipeline.Object, error) {
	if subject == "" {
		return pipeline.Object{}, errors.New("subject is missing")
	}
	path, ok := strings.CutPrefix(subject, "/blobServices/default/containers/")
	container, blob, slash := strings.Cut(path, "/blobs/")
	if !ok || !slash {
		return pipeline.Object{}, errors.New("subject is not /blobServices/default/containers/CONTAINER/blobs/BLOB")
	}
	size, err := sizeOf("data.contentLength", data.ContentLength)
	if err := cmp.Or(
		checkName("the container in subject", container, raw),
		checkName("the blob in subject", blob, raw),
		err,
	); err != nil {
		return pipeline.Object{}, err
	}
	return pipeline.Object{
		Bucket:    container,
		Key:       blob,
		ETag:      trimETag(data.ETag),
		Size:      size,
		Sequencer: data.Sequencer,
	}, nil
}
