package pipeline_test

import (
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestSameVersion(t *testing.T) {
	o := func(key, version, etag string) pipeline.Object {
		return pipeline.Object{Bucket: bucket, Key: key, VersionID: version, ETag: etag}
	}
	other := o("a", "v1", "e1")
	other.Bucket = "other"
	for _, tc := range []struct {
		name string
		a, b pipeline.Object
		want bool
	}{
		{"same", o("a", "v1", "e1"), o("a", "v1", "e1"), true},
		{"same version, no ETag", o("a", "v1", ""), o("a", "v1", "e1"), true},
		{"other version of the same content", o("a", "v1", "e1"), o("a", "v2", "e1"), false},
		{"version known to one", o("a", "", "e1"), o("a", "v2", "e1"), true},
		{"version known to one, other content", o("a", "", "e1"), o("a", "v2", "e2"), false},
		{"unversioned", o("a", "", "e1"), o("a", "", "e1"), true},
		{"unversioned, other content", o("a", "", "e1"), o("a", "", "e2"), false},
		{"nothing known", o("a", "", ""), o("a", "", ""), false},
		{"one knows nothing", o("a", "v1", "e1"), o("a", "", ""), false},
		{"nothing in common", o("a", "v1", ""), o("a", "", "e1"), false},
		{"other key", o("a", "v1", "e1"), o("b", "v1", "e1"), false},
		{"other bucket", o("a", "v1", "e1"), other, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.a.SameVersion(tc.b); got != tc.want {
				t.Errorf("a.SameVersion(b) is %v, want %v", got, tc.want)
			}
			if got := tc.b.SameVersion(tc.a); got != tc.want {
				t.Errorf("b.SameVersion(a) is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	event := func(change ...func(*pipeline.Event)) pipeline.Event {
		e := pipeline.Event{
			Kind:   pipeline.Created,
			Object: pipeline.Object{Bucket: bucket, Key: "a", VersionID: "v", ETag: "e", Size: 3, Sequencer: "01"},
			ID:     "id", Name: "Object Created", Time: at,
		}
		for _, f := range change {
			f(&e)
		}
		return e
	}
	byID := func(e *pipeline.Event) { e.Object.Sequencer = "" }
	base, baseByID := event(), event(byID)

	for name, same := range map[string]pipeline.Event{
		"new id of one event": event(func(e *pipeline.Event) { e.ID = "other" }),
		"other time zone":     event(func(e *pipeline.Event) { e.Time = at.In(time.FixedZone("", 3600)) }),
		"size not told":       event(func(e *pipeline.Event) { e.Object.Size = pipeline.UnknownSize }),
	} {
		if base.Identity() != same.Identity() {
			t.Errorf("%s: taken for another event", name)
		}
	}
	for name, other := range map[string]pipeline.Event{
		"kind":                     event(func(e *pipeline.Event) { e.Kind = pipeline.Deleted }),
		"bucket":                   event(func(e *pipeline.Event) { e.Object.Bucket = "b" }),
		"key":                      event(func(e *pipeline.Event) { e.Object.Key = "b" }),
		"other reading of the key": event(func(e *pipeline.Event) { e.OtherKey = "b" }),
		"version":                  event(func(e *pipeline.Event) { e.Object.VersionID = "w" }),
		"ETag":                     event(func(e *pipeline.Event) { e.Object.ETag = "f" }),
		"sequencer":                event(func(e *pipeline.Event) { e.Object.Sequencer = "02" }),
		"time, sequencer constant": event(func(e *pipeline.Event) { e.Time = at.Add(time.Second) }),
		"id instead of sequencer":  baseByID,
		"id equal to a sequencer":  event(byID, func(e *pipeline.Event) { e.ID = "01" }),
	} {
		if base.Identity() == other.Identity() {
			t.Errorf("%s: taken for the same event", name)
		}
	}
	for name, other := range map[string]pipeline.Event{
		"id":                event(byID, func(e *pipeline.Event) { e.ID = "other" }),
		"time, id constant": event(byID, func(e *pipeline.Event) { e.Time = at.Add(time.Second) }),
	} {
		if baseByID.Identity() == other.Identity() {
			t.Errorf("%s without a sequencer: taken for the same event", name)
		}
	}
	if id := event(byID, func(e *pipeline.Event) { e.ID = "" }).Identity(); id != "" {
		t.Errorf("identity is %q although nothing tells the event from others", id)
	}
}

func TestNamesForPeople(t *testing.T) {
	if got := (pipeline.Object{Bucket: bucket, Key: "b/c d"}).String(); got != "inbox/b/c d" {
		t.Errorf("object is %q", got)
	}
	for kind, want := range map[pipeline.Kind]string{
		pipeline.Ignored: "ignored", pipeline.Created: "created", pipeline.Deleted: "deleted",
		pipeline.Restored: "restored", pipeline.Kind(99): "ignored",
	} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q, want %q", kind, got, want)
		}
	}
}
