package events

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// ossForm names the form in errors.
const ossForm = "Alibaba OSS"

// decodeOSS decodes the notification of Alibaba OSS, see
// https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/overview-of-oss-trigger.
func (o *opening) decodeOSS(events json.RawMessage) ([]pipeline.Event, error) {
	decoded, err := o.each("events", events, func(raw []byte) ([]pipeline.Event, error) { return one(decodeOSSEvent(raw)) })
	if err != nil {
		return decoded, fmt.Errorf("%s: %w", ossForm, err)
	}
	return decoded, nil
}

// decodeOSSEvent decodes an item of a notification, which is also the data of OSS's CloudEvents.
func decodeOSSEvent(raw []byte) (pipeline.Event, error) {
	var e struct {
		EventName   string     `json:"eventName"`
		EventTime   moment     `json:"eventTime"`
		EventSource identifier `json:"eventSource"`
		OSS         struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string     `json:"key"`
				Size      size       `json:"size"`
				ETag      identifier `json:"eTag"`
				VersionID identifier `json:"versionId"`
			} `json:"object"`
		} `json:"oss"`
	}
	if err := unmarshal("data", raw, &e); err != nil {
		return pipeline.Event{}, err
	}
	event, err := named(e.EventName, e.EventTime, ossKind)
	if err != nil || event.Kind == pipeline.Ignored {
		return event, err
	}
	event.Object.Bucket = e.OSS.Bucket.Name
	event.Object.Key, event.OtherKey = readingsOf(e.OSS.Object.Key, false)
	event.Object.Size, event.Object.ETag, event.Object.VersionID = e.OSS.Object.Size.bytes(), e.OSS.Object.ETag.etag(), string(e.OSS.Object.VersionID)
	return event, cmp.Or(
		checkName("oss.bucket.name", event.Object.Bucket, raw),
		checkName("oss.object.key", event.Object.Key, raw),
	)
}

// ossKind returns what an event of OSS asks for. A part of an upload is no object yet.
func ossKind(name string) (kind pipeline.Kind, known bool) {
	if prefix := len(alibaba); len(name) > prefix && strings.EqualFold(name[:prefix], alibaba) {
		name = name[prefix:]
	}
	family, operation, _ := strings.Cut(name, ":")
	switch operation {
	case "InitiateMultipartUpload", "UploadPart", "UploadPartCopy", "AbortMultipartUpload":
		return pipeline.Ignored, true
	}
	switch family {
	case "ObjectCreated":
		return pipeline.Created, true
	case "ObjectRemoved":
		return pipeline.Deleted, true
	case "ObjectRestore":
		return pipeline.Restored, operation == "FinishRestore"
	case "ObjectReplication":
		switch operation {
		case "ObjectCreated", "ObjectModified":
			return pipeline.Created, true
		case "ObjectRemoved":
			return pipeline.Deleted, true
		}
	case "ObjectDownloaded", "BucketCreated", "BucketRemoved", "ActionTrail", "CloudMonitor":
		return pipeline.Ignored, true
	}
	return pipeline.Ignored, false
}
