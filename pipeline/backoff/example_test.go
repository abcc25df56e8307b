package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// A loop that tries until it succeeds or ctx ends.
func ExampleBackoff_Wait() {
	ctx := context.Background()
	waits := backoff.Backoff{First: time.Millisecond, Longest: time.Second}
	work := func(attempt int) error {
		if attempt < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	for attempt := 1; ; attempt++ {
		err := work(attempt)
		if err == nil {
			fmt.Println("done at attempt", attempt)
			return
		}
		if !waits.Wait(ctx, attempt) {
			fmt.Println("stopped:", err)
			return
		}
	}
	// Output: done at attempt 3
}
