package handlers_test

import (
	"errors"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TestRefusedRecordIsNotReadAgain lets the writing of records fail: the object is read once, however often
// its record is refused, and again after a change.
func TestRefusedRecordIsNotReadAgain(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	o := s.put("a", "hello")
	s.saveErr = errors.New("access denied")
	for range 3 {
		if err := handle(t.Context(), created(o)); pipeline.Classify(err) != pipeline.ClassTransient {
			t.Fatal(err)
		}
	}
	if s.opened != 1 {
		t.Errorf("read %d times, want once", s.opened)
	}
	s.saveErr = nil
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	if s.opened != 1 || s.recorded("a") != md5sum("hello") {
		t.Errorf("read %d times, recorded %q", s.opened, s.recorded("a"))
	}

	s.saveErr = errors.New("access denied")
	o = s.put("a", "other")
	if err := handle(t.Context(), created(o)); err == nil {
		t.Fatal("the record was not refused")
	}
	s.saveErr = nil
	o = s.put("a", "again other")
	if err := handle(t.Context(), created(o)); err != nil {
		t.Fatal(err)
	}
	if s.recorded("a") != md5sum("again other") {
		t.Errorf("recorded %q for the new content", s.recorded("a"))
	}
}
