package queue_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		-1: seconds(1), 0: seconds(1), 1: seconds(1), 2: seconds(2), 3: seconds(4), 6: seconds(32),
		7: seconds(60), 8: seconds(60), math.MaxInt: seconds(60),
	} {
		different := map[time.Duration]bool{}
		for range 1000 {
			d := queue.Backoff(attempt)
			different[d] = true
			if d < want-want/8 || d > want+want/8 {
				t.Fatalf("Backoff(%d) is %s, want %s within an eighth", attempt, d, want)
			}
		}
		if len(different) < 2 {
			t.Errorf("Backoff(%d) does not vary", attempt)
		}
	}
}

func TestValidate(t *testing.T) {
	_, err := queue.NewSubscriber(newFakeBroker(), queue.Config{Concurrency: -1, CloseTimeout: -1})
	if err == nil || !strings.Contains(err.Error(), "concurrency") || !strings.Contains(err.Error(), "close timeout") {
		t.Errorf("got %v, want both faults", err)
	}
	if err := (queue.Config{}).Validate(); err != nil {
		t.Errorf("zero Config: %v", err)
	}
}
