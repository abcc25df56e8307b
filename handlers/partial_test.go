package handlers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

func twoAlgorithms(c *handlers.Config) { c.Algorithms = []string{"md5", "sha256"} }

// TestRemovedInPart: a worker stopped after it had removed the record of one algorithm of two. The event of the
// deletion was handled before the records were written, so the event of the object is the last one.
func TestRemovedInPart(t *testing.T) {
	s, a := newStore(), &announced{}
	o := s.put("a", "content")
	s.records["a"] = pipeline.Record{Source: o, Digests: map[string]string{"sha256": "00"}}
	s.drop("a")
	if err := handlerOf(t, s, a, twoAlgorithms)(t.Context(), created(o)); err != nil {
		t.Errorf("got %v", err)
	}
	if r, ok := s.records["a"]; ok {
		t.Errorf("the record of an object that is gone is left: %v", r)
	}
}

// refusing is a store that writes the record of one algorithm, or in one form, and refuses the other. Then the object is deleted.
type refusing struct {
	*store
	err error
}

func (r refusing) Save(ctx context.Context, record pipeline.Record, seen pipeline.Seen) error {
	if err := r.store.Save(ctx, record, seen); err != nil {
		return err
	}
	r.drop(record.Source.Key)
	return r.err
}

// TestSavedInPart: the record of one algorithm, or in one form, does not stay when the object is gone and the record of
// the other algorithm, or in the other form, was refused.
func TestSavedInPart(t *testing.T) {
	for name, err := range map[string]error{
		"newer record":  pipeline.ErrChanged,
		"file of users": pipeline.Permanent(errors.New("a user's file")),
	} {
		for parts, configure := range map[string]func(*handlers.Config){"algorithms": twoAlgorithms, "forms": func(*handlers.Config) {}} {
			t.Run(name+", "+parts, func(t *testing.T) {
				s, a := newStore(), &announced{}
				o := s.put("a", "content")
				handle := handlerOf(t, s, a, configure, func(c *handlers.Config) {
					c.Buckets = map[string]pipeline.Bucket{bucketName: {Source: s, Records: refusing{s, err}}}
				})
				if err := handle(t.Context(), created(o)); err != nil {
					t.Errorf("got %v", err)
				}
				if r, ok := s.records["a"]; ok {
					t.Errorf("the record of an object that is gone is left: %v", r)
				}
			})
		}
	}
}

// keeping is a store that removes the record of one algorithm and finds that of the other newer, because the object was
// put back.
type keeping struct{ *store }

func (k keeping) Remove(ctx context.Context, o pipeline.Object, seen pipeline.Seen) (bool, error) {
	if removed, err := k.store.Remove(ctx, o, seen); err != nil {
		return removed, err
	}
	k.put(o.Key, "content")
	return true, pipeline.ErrChanged
}

// TestRemovedTooMuch: the record of one algorithm that was removed, while that of the other is newer, is written again.
func TestRemovedTooMuch(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a, twoAlgorithms, func(c *handlers.Config) {
		c.Buckets = map[string]pipeline.Bucket{bucketName: {Source: s, Records: keeping{s}}}
	})
	o := s.put("a", "content")
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	if err := handle(t.Context(), deleted(s.drop("a"))); err != nil {
		t.Errorf("got %v", err)
	}
	if s.recorded("a") != md5sum("content") {
		t.Error("the object that was put back has no record")
	}
}

// TestNewerInPart: a record of the newer version lacks an algorithm, because a late write of the older version replaced
// it. The event of the older version, which is delivered again, does not end before that is put right.
func TestNewerInPart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(s *store)
		left   string // the content that has a record of both algorithms at the end
	}{
		"current":     {func(*store) {}, "second"},
		"overwritten": {func(s *store) { s.put("a", "third") }, "third"},
		"gone":        {func(s *store) { delete(s.objects, "a") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			handle := handlerOf(t, s, a, twoAlgorithms)
			first := s.put("a", "first")
			second := s.put("a", "second")
			s.records["a"] = pipeline.Record{Source: second, Digests: map[string]string{"md5": md5sum("second")}}
			tc.change(s)
			if err := handle(t.Context(), created(first)); err != nil {
				t.Error(err)
			}
			if r := s.records["a"]; tc.left == "" && len(r.Digests) > 0 || tc.left != "" && (len(r.Digests) != 2 || r.Digests["md5"] != md5sum(tc.left)) {
				t.Errorf("the record is %+v, want both algorithms of %q", r, tc.left)
			}
		})
	}
}
