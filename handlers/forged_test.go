package handlers_test

import (
	"errors"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TestForgedSequencer keeps a known fault in sight: a sender of events can send an event with
// the highest sequencer. The record keeps it, so every true event of the key looks old, and the
// next version of the object gets no record. When this test fails the fault is gone: turn the
// test round, and take the row off docs/threats.md.
func TestForgedSequencer(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	forged := created(s.put("a", "one"))
	forged.Object.Sequencer = "FFFFFFFFFFFFFFFF"
	if err := handle(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	err := handle(t.Context(), created(s.put("a", "two")))
	if !errors.Is(err, pipeline.ErrChanged) || s.recorded("a") != md5sum("one") {
		t.Errorf("the second version got its record %q (%v): the fault is gone", s.recorded("a"), err)
	}
}
