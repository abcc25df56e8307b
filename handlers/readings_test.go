package handlers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestReadings: an event whose key can be read in two ways gives each object that exists its record.
func TestReadings(t *testing.T) {
	denied := errors.New("access denied")
	for name, tc := range map[string]struct {
		objects  []string // keys
		excluded string
		fails    string // its record cannot be written
		kind     pipeline.Kind
		records  []string // keys of objects that have a record at the end
		results  int
		err      error
		class    pipeline.Class
	}{
		"first only":             {objects: []string{"a b"}, records: []string{"a b"}, results: 1},
		"other only":             {objects: []string{"a+b"}, records: []string{"a+b"}, results: 1},
		"both":                   {objects: []string{"a b", "a+b"}, records: []string{"a b", "a+b"}, results: 2},
		"none":                   {err: pipeline.ErrMissing, class: pipeline.ClassSuperseded},
		"first excluded":         {objects: []string{"a b", "a+b"}, excluded: "a b", records: []string{"a+b"}, results: 1},
		"other excluded":         {objects: []string{"a b", "a+b"}, excluded: "a+b", records: []string{"a b"}, results: 1},
		"one excluded, one gone": {objects: []string{"a+b"}, excluded: "a+b", err: pipeline.ErrFiltered, class: pipeline.ClassSuperseded},
		"first fails":            {objects: []string{"a b", "a+b"}, fails: "a b", records: []string{"a+b"}, results: 1, err: denied, class: pipeline.ClassTransient},
		"other fails":            {objects: []string{"a b", "a+b"}, fails: "a+b", records: []string{"a b"}, results: 1, err: denied, class: pipeline.ClassTransient},
		"deletion":               {objects: []string{"a+b"}, kind: pipeline.Deleted, records: []string{"a+b"}, results: 2},
		"deletion of none":       {kind: pipeline.Deleted, results: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			for _, key := range tc.objects {
				s.put(key, "content of "+key)
			}
			s.refuses = func(key string) error {
				if key == tc.fails {
					return denied
				}
				return nil
			}
			handle := handlerOf(t, s, a, func(c *handlers.Config) {
				c.Selects = func(key string) bool { return key != tc.excluded }
			})
			// The event's ETag is that of neither object.
			e := pipeline.Event{Kind: tc.kind, Object: pipeline.Object{Bucket: bucketName, Key: "a b", ETag: "cut", Size: 1}, OtherKey: "a+b"}
			if e.Kind == pipeline.Ignored {
				e.Kind = pipeline.Created
			}
			err := handle(t.Context(), e)
			if !errors.Is(err, tc.err) || pipeline.Classify(err) != tc.class {
				t.Errorf("got %v, want %v of class %q", err, tc.err, tc.class)
			}
			var records []string
			for _, key := range []string{"a b", "a+b"} {
				if s.recorded(key) == md5sum("content of "+key) {
					records = append(records, key)
				}
			}
			if diff := cmp.Diff(tc.records, records); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if len(a.results) != tc.results {
				t.Errorf("announced %+v, want %d results", a.results, tc.results)
			}
		})
	}
}

// TestMissingIsDeadLettered: with DeadLetterMissing an event is given up if there is no object under any reading of
// its key. A deletion is not.
func TestMissingIsDeadLettered(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a, func(c *handlers.Config) { c.DeadLetterMissing = true })
	e := pipeline.Event{Kind: pipeline.Created, Object: pipeline.Object{Bucket: bucketName, Key: "a b"}, OtherKey: "a+b"}
	err := handle(t.Context(), e)
	if pipeline.Classify(err) != pipeline.ClassPermanent || !errors.Is(err, pipeline.ErrMissing) || !strings.Contains(err.Error(), "--on-missing") {
		t.Errorf("got %v", err)
	}
	if err := handle(t.Context(), deleted(e.Object)); err != nil {
		t.Errorf("a deletion: %v", err)
	}
	s.put("a+b", "content")
	if err := handle(t.Context(), e); err != nil || s.recorded("a+b") != md5sum("content") {
		t.Errorf("the other reading: %v, recorded %q", err, s.recorded("a+b"))
	}
}

// TestLyingIdentity: whatever an event says about the version of an object, the object gets its record, and loses it
// when it is gone.
func TestLyingIdentity(t *testing.T) {
	lies := map[string]func(o *pipeline.Object){
		"ETag cut":             func(o *pipeline.Object) { o.ETag = o.ETag[:5] },
		"ETag in upper case":   func(o *pipeline.Object) { o.ETag = strings.ToUpper(o.ETag) },
		"ETag of another":      func(o *pipeline.Object) { o.ETag = "etag-" + md5sum("other") },
		"no ETag":              func(o *pipeline.Object) { o.ETag = "" },
		"version that is none": func(o *pipeline.Object) { o.VersionID = "1" },
		"version null":         func(o *pipeline.Object) { o.VersionID = "null" },
		"low sequencer":        func(o *pipeline.Object) { o.Sequencer = "00" },
		"high sequencer":       func(o *pipeline.Object) { o.Sequencer = "FF" },
		"smaller":              func(o *pipeline.Object) { o.Size = 1 },
		"larger":               func(o *pipeline.Object) { o.Size = 1 << 40 },
		"unknown size":         func(o *pipeline.Object) { o.Size = pipeline.UnknownSize },
	}
	for first, lie := range lies {
		for second, again := range lies {
			t.Run(first+", then "+second, func(t *testing.T) {
				for _, unversioned := range []bool{false, true} {
					s, a := newStore(), &announced{}
					s.unversioned = unversioned
					handle := handlerOf(t, s, a)
					for content, change := range map[string]func(*pipeline.Object){"one": lie, "two": again} {
						o := s.put("a", content)
						change(&o)
						if err := handle(t.Context(), created(o)); err != nil || s.recorded("a") != md5sum(content) {
							t.Errorf("after %q: %v, recorded %q", content, err, s.recorded("a"))
						}
					}
					s.objects["a"] = s.objects["a"][:1]
					o := s.drop("a")
					o.Sequencer = "00"
					if err := handle(t.Context(), deleted(o)); err != nil || s.recorded("a") != "" {
						t.Errorf("after the deletion: %v, recorded %q", err, s.recorded("a"))
					}
				}
			})
		}
	}
}

// TestLargeObjectThatChanges: a large object that changes while it is read is not read again at once, and not given up.
func TestLargeObjectThatChanges(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	large := strings.Repeat("x", 9<<20)
	s.onRead = once(func() { s.put("a", large+"new") })
	o := s.put("a", large)
	if err := handle(t.Context(), created(o)); pipeline.Classify(err) != pipeline.ClassTransient || s.opened != 1 {
		t.Errorf("%v, read %d times", err, s.opened)
	}
	if err := handle(t.Context(), again(created(o))); err != nil || s.recorded("a") != md5sum(large+"new") {
		t.Errorf("%v, recorded %q", err, s.recorded("a"))
	}
}

// TestKeptRecordSurvivesFailingLooks: a record that could not be written is kept as long as the store cannot be asked
// which version is the current one.
func TestKeptRecordSurvivesFailingLooks(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	o := s.put("a", "hello")
	s.saveErr = errors.New("503")
	for _, e := range []pipeline.Event{created(o), again(created(o))} {
		if err := handle(t.Context(), e); err == nil {
			t.Error("the record was written")
		}
		s.statErr = errors.New("503")
	}
	s.saveErr, s.statErr = nil, nil
	if err := handle(t.Context(), again(created(o))); err != nil || s.opened != 1 {
		t.Errorf("%v, read %d times, want once", err, s.opened)
	}
}
