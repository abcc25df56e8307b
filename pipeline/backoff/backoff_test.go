package backoff_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

func TestDelay(t *testing.T) {
	for name, tc := range map[string]struct {
		backoff   backoff.Backoff
		attempt   int
		low, high time.Duration
	}{
		"first":                {backoff.Backoff{First: 800, Longest: 8000}, 1, 700, 900},
		"doubled":              {backoff.Backoff{First: 800, Longest: 8000}, 3, 2800, 3600},
		"longest":              {backoff.Backoff{First: 800, Longest: 8000}, 9, 7000, 9000},
		"attempt 0 is the 1st": {backoff.Backoff{First: 800, Longest: 8000}, 0, 700, 900},
		"below":                {backoff.Backoff{First: 800, Longest: 8000, Jitter: backoff.Below}, 2, 800, 1600},
		"below the longest":    {backoff.Backoff{First: 800, Longest: 8000, Jitter: backoff.Below}, 99, 4000, 8000},
		"first above longest":  {backoff.Backoff{First: time.Minute, Longest: 8000}, 1, 7000, 9000},
		"no overflow":          {backoff.Backoff{First: time.Second, Longest: math.MaxInt64 / 2}, 1 << 30, math.MaxInt64 / 16 * 7, math.MaxInt64 / 16 * 9},
		"zero":                 {backoff.Backoff{}, 5, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(map[time.Duration]bool)
			for range 1000 {
				d := tc.backoff.Delay(tc.attempt)
				if d < tc.low || d > tc.high {
					t.Fatalf("got %d, want between %d and %d", d, tc.low, tc.high)
				}
				seen[d] = true
			}
			if len(seen) < 50 && tc.high > 0 {
				t.Errorf("only %d different delays in 1000: no jitter", len(seen))
			}
		})
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := backoff.Backoff{First: 8 * time.Second, Longest: time.Minute}
		if waited := b.Wait(t.Context(), 1); !waited {
			t.Error("Wait returned false, want true")
		}
		if d := time.Since(start); d < 7*time.Second || d > 9*time.Second {
			t.Errorf("waited %s, want between 7s and 9s", d)
		}
	})
}

func TestSleepEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if backoff.Sleep(ctx, time.Hour) {
			t.Error("Sleep returned true after ctx ended, want false")
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("waited %s, want 1s", d)
		}
		if backoff.Sleep(ctx, 0) {
			t.Error("Sleep(0) returned true after ctx ended, want false")
		}
		if !backoff.Sleep(t.Context(), -1) {
			t.Error("Sleep(-1) returned false, want true")
		}
	})
}

// A simulation replays its waits.
func TestSetSource(t *testing.T) {
	restore := backoff.SetSource(func(n int64) int64 { return n - 1 })
	b := backoff.Backoff{First: 8 * time.Second, Longest: time.Minute}
	if d := b.Delay(1); d != 9*time.Second {
		t.Errorf("with the largest random numbers: got %s, want 9s", d)
	}
	restore()
	seen := make(map[time.Duration]bool)
	for range 100 {
		seen[backoff.Random(time.Hour)] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different numbers of 100 after restore", len(seen))
	}
}
