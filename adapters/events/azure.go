package events

import (
	"cmp"
	"errors"
	"net/url"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// blobData is the data of an event of Azure Blob Storage, see
// https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage.
type blobData struct {
	API           string     `json:"api"`
	ETag          identifier `json:"eTag"`
	ContentLength size       `json:"contentLength"`
	Sequencer     identifier `json:"sequencer"`
	SourceURL     string     `json:"sourceUrl"`  // of a renamed blob
	AccessTier    identifier `json:"accessTier"` // of a blob whose tier changed
	Recursive     identifier `json:"recursive"`  // of a deleted directory: "true" if it was not empty
}

var gridKinds = map[string]pipeline.Kind{
	"Microsoft.Storage.BlobCreated": pipeline.Created,
	"Microsoft.Storage.BlobDeleted": pipeline.Deleted,
	"Microsoft.Storage.BlobRenamed": pipeline.Created, // and deleted, elsewhere
	// Azure's word for the end of a restore.
	"Microsoft.Storage.BlobTierChanged":                pipeline.Restored,
	"Microsoft.Storage.DirectoryCreated":               pipeline.Ignored,
	"Microsoft.Storage.DirectoryDeleted":               pipeline.Ignored, // unless its files were deleted with it
	"Microsoft.Storage.AsyncOperationInitiated":        pipeline.Ignored,
	"Microsoft.Storage.BlobInventoryPolicyCompleted":   pipeline.Ignored,
	"Microsoft.Storage.LifecyclePolicyCompleted":       pipeline.Ignored,
	"Microsoft.Storage.StorageTaskAssignmentQueued":    pipeline.Ignored,
	"Microsoft.Storage.StorageTaskAssignmentCompleted": pipeline.Ignored,
	"Microsoft.Storage.StorageTaskQueued":              pipeline.Ignored,
	"Microsoft.Storage.StorageTaskCompleted":           pipeline.Ignored,
	"Microsoft.EventGrid.SubscriptionValidationEvent":  pipeline.Ignored,
	"Microsoft.EventGrid.SubscriptionDeletedEvent":     pipeline.Ignored,
}

// startsFile holds the operations that create a file before its content is written. The
// operations that end the writing, FlushWithClose and SftpCommit, have events of their own.
var startsFile = map[string]bool{"CreateFile": true, "SftpCreate": true}

// decodeBlob decodes an event of Event Grid. A renamed blob has two: the new name appeared, the old one
// is gone.
func decodeBlob(e cloudEvent, raw []byte) ([]pipeline.Event, error) {
	kind, known := gridKinds[e.name()]
	if e.name() == "Microsoft.Storage.DirectoryRenamed" {
		return nil, errors.New("the files of a renamed directory have no events of their own, so they have no new records")
	}
	if !known {
		return nil, e.notRead()
	}
	event := ignored(e.name(), e.ID, e.at())
	directory := strings.HasPrefix(e.name(), "Microsoft.Storage.Directory")
	if kind == pipeline.Ignored && !directory {
		return []pipeline.Event{event}, nil
	}
	var data blobData
	if err := unmarshal("data", e.Data, &data); err != nil {
		return nil, err
	}
	switch {
	case directory && strings.EqualFold(string(data.Recursive), "true"):
		return nil, errors.New("the files of a deleted directory have no events of their own, so their records stay")
	case kind == pipeline.Ignored, kind == pipeline.Created && startsFile[data.API], data.AccessTier == "Archive":
		return []pipeline.Event{event}, nil
	}
	o, err := blobOf(e.Subject, data, raw)
	if err != nil {
		return nil, err
	}
	event.Kind, event.Object = kind, o
	if e.name() != "Microsoft.Storage.BlobRenamed" {
		return []pipeline.Event{event}, nil
	}
	source := event
	source.Kind = pipeline.Deleted
	if source.Object, source.OtherKey, err = renamedBlob(data, raw); err != nil {
		return []pipeline.Event{event}, err
	}
	return []pipeline.Event{event, source}, nil
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
	return pipeline.Object{
			Bucket:    container,
			Key:       blob,
			ETag:      data.ETag.etag(),
			Size:      data.ContentLength.bytes(),
			Sequencer: string(data.Sequencer),
		}, cmp.Or(
			checkName("the container in subject", container, raw),
			checkName("the blob in subject", blob, raw),
		)
}

// renamedBlob returns the blob that a renamed one was, and its key as it stands in the URL if that is
// escaped there.
func renamedBlob(data blobData, raw []byte) (o pipeline.Object, otherKey string, err error) {
	_, path, ok := strings.Cut(data.SourceURL, "://")
	_, path, slash := strings.Cut(path, "/") // the host
	container, key, more := strings.Cut(path, "/")
	if !ok || !slash || !more {
		return o, "", errors.New("data.sourceUrl is not https://HOST/CONTAINER/BLOB")
	}
	if plain, err := url.PathUnescape(key); err == nil && plain != key && isKey(plain) {
		key, otherKey = plain, key
	}
	o = pipeline.Object{Bucket: container, Key: key, Size: pipeline.UnknownSize, Sequencer: string(data.Sequencer)}
	return o, otherKey, cmp.Or(
		checkName("the container in data.sourceUrl", container, raw),
		checkName("the blob in data.sourceUrl", key, raw),
	)
}
