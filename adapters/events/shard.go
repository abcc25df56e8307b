package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	results = "io.bucketsum.checksum."
	shards  = "io.bucketsum.sweep.shard.v1"
)

// decodeShard decodes the message that asks for a shard of a pass, see package cloudevents. bucketsum itself sends
// it, so that unlike elsewhere an unknown field is an error: a worker must not leave out what a newer version asks for.
func decodeShard(e cloudEvent) (pipeline.Event, error) {
	event := ignored(e.name(), e.ID, e.at())
	var data struct {
		Pass         string `json:"pass"`
		Bucket       string `json:"bucket"`
		After        string `json:"after"`
		AfterBytes   []byte `json:"after_base64"` // if it is not UTF-8
		Through      string `json:"through"`
		ThroughBytes []byte `json:"through_base64"`
	}
	if e.Data == nil {
		return pipeline.Event{}, errors.New("data is missing")
	}
	d := json.NewDecoder(bytes.NewReader(e.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(&data); err != nil {
		if failed := unmarshal("data", e.Data, &data); failed != nil {
			return pipeline.Event{}, failed // without the content of the message
		}
		return pipeline.Event{}, errors.New("data has a field that is not read: the message is of a newer version")
	}
	if _, err := d.Token(); err != io.EOF {
		return pipeline.Event{}, errors.New("data has more than one value")
	}
	for _, text := range []string{data.Bucket, data.After, data.Through} {
		if mangled(text, e.Data) {
			return pipeline.Event{}, errors.New("data contains half of a surrogate pair")
		}
	}
	shard := pipeline.Shard{Pass: data.Pass, Bucket: data.Bucket, After: data.After, Through: data.Through}
	if len(data.AfterBytes) > 0 {
		shard.After = string(data.AfterBytes)
	}
	if len(data.ThroughBytes) > 0 {
		shard.Through = string(data.ThroughBytes)
	}
	if err := shard.Validate(); err != nil {
		return pipeline.Event{}, fmt.Errorf("data: %w", err)
	}
	event.Kind, event.Object.Bucket, event.Shard = pipeline.Sweep, shard.Bucket, &shard
	return event, nil
}
