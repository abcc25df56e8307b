package cloudpubsub

import (
	"strconv"
	"testing"
)

func TestAttemptsAreBounded(t *testing.T) {
	var a attempts
	for i := range 3 * trackedMessages {
		a.nacked(strconv.Itoa(i))
		if len(a.nacks) > trackedMessages {
			t.Fatalf("%d messages are tracked", len(a.nacks))
		}
	}
	// A message that is counted already does not reset the full map.
	last := strconv.Itoa(3*trackedMessages - 1)
	a.nacked(last)
	if got := a.next(last); got != 3 {
		t.Errorf("next delivery of a message that was nacked twice is %d, want 3", got)
	}
	a.acked(last)
	if got := a.next(last); got != 1 {
		t.Errorf("next delivery of a message that was acked is %d, want 1", got)
	}
}
