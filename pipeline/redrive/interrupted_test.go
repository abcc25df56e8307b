package redrive_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// TestInterrupted: what was received is sent, and nothing more is received, even if slots are free when the run is
// interrupted.
func TestInterrupted(t *testing.T) {
	for range 20 { // a free slot and the end of the context race
		synctest.Test(t, func(t *testing.T) {
			b := newBroker()
			for i := range 100 {
				b.put(from, fmt.Sprint("photos ", i), nil)
			}
			ctx, cancel := context.WithCancel(t.Context())
			b.sent = func(*stored) { cancel() }
			c := config(b)
			c.Decode = func(body []byte, metadata map[string]string) ([]pipeline.Event, error) {
				time.Sleep(time.Second) // the messages before it are done meanwhile
				return decode(body, metadata)
			}
			s, err := redrive.Run(ctx, c)
			sent, left := len(b.bodies(to)), len(b.bodies(from))
			if err != nil || s.End != redrive.Interrupted || s.Done() || sent != 16 || left != 84 || len(b.leased) > 0 {
				t.Fatalf("error %v, summary %+v, %d sent, %d left", err, s, sent, left)
			}
		})
	}
}
