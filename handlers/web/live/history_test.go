package live_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestActivityRate expects the bytes per second of now, also within one object that is read for long.
func TestActivityRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		s := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source
		huge, err := s.Open(t.Context(), livetest.Object("huge", 1<<40))
		if err != nil {
			t.Fatal(err)
		}
		read := func(seconds, rate int64) {
			for range seconds {
				time.Sleep(time.Second)
				if _, err := io.CopyN(io.Discard, huge, rate); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(when string, rate int64) {
			t.Helper()
			got := a.Status()
			if got.BytesPerSecond != rate {
				t.Errorf("%s: %d bytes per second, want %d", when, got.BytesPerSecond, rate)
			}
		}
		read(600, 1000)
		want("looked at for the first time", 1000)
		for range 5 {
			read(1, 500)
			a.Status()
		}
		want("slower for 5 s", 500)
		status := a.Status()
		if left := status.BytesLeft; left == nil || *left != 1<<40-status.InWork[0].Read {
			t.Errorf("left is %v of %+v", left, status.InWork)
		}
		sum := int64(0)
		for i, n := range status.LastHour.Bytes {
			sum += n
			if i == 55 && (n < 50_000 || n > 60_000) {
				t.Errorf("%d bytes were read in a minute, want about 60000 without a look at the status", n)
			}
		}
		if sum != 600*1000+5*500 {
			t.Errorf("%d bytes were read in an hour", sum)
		}
		if err := huge.Close(); err != nil {
			t.Fatal(err)
		}
		want("closed", 0)
		unknown, err := s.Open(t.Context(), livetest.Object("unknown", pipeline.UnknownSize))
		if err != nil {
			t.Fatal(err)
		}
		defer unknown.Close()
		if left := a.Status().BytesLeft; left != nil {
			t.Errorf("%d bytes are left of an object of unknown size", *left)
		}
	})
}

// TestActivityLastHour expects what happened in each minute of the last hour, and nothing older.
func TestActivityLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		work := func(n int) {
			for i := range n {
				r := livetest.Result(pipeline.Recorded, livetest.Object(fmt.Sprint(i), 1))
				r.Event.Time = time.Now().Add(-time.Duration(n) * time.Second)
				livetest.Publish(t, a, r)
			}
			livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "returned", errors.New("broken")))
			livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "failed", pipeline.Permanent(errors.New("broken"))))
			mismatch := pipeline.Permanent(pipeline.ErrMismatch)
			livetest.Publish(t, a, livetest.Result(pipeline.Mismatch, livetest.Object("mismatch", 1)))
			livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "mismatch", mismatch))
		}
		work(3)
		time.Sleep(58 * time.Minute)
		work(5)
		time.Sleep(time.Minute)
		zeros := func(ends map[int]int64) []int64 {
			list := make([]int64, 60)
			for i, n := range ends {
				list[i] = n
			}
			return list
		}
		got := a.Status().LastHour
		want := live.Hour{
			Until: got.Until, StepSeconds: 60, Bytes: zeros(nil),
			Results: zeros(map[int]int64{0: 4, 58: 6}), Failed: zeros(map[int]int64{0: 2, 58: 2}),
			Returned: zeros(map[int]int64{0: 1, 58: 1}), AgeSeconds: make([]float64, 60),
		}
		want.AgeSeconds[0], want.AgeSeconds[58] = 3, 5
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("last hour (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if got := a.Status().LastHour.Results; !slices.Equal(got, zeros(map[int]int64{57: 6})) {
			t.Errorf("results a minute later are %d", got)
		}
		time.Sleep(2 * time.Hour)
		if got := a.Status().LastHour.Results; !slices.Equal(got, zeros(nil)) {
			t.Errorf("results two hours later are %d", got)
		}
	})
}

// TestActivityKinds expects what the remedy depends on.
func TestActivityKinds(t *testing.T) {
	for want, err := range map[live.Kind]error{
		live.KindPermission:    &fs.PathError{Op: "open", Path: "a", Err: fs.ErrPermission},
		live.KindMismatch:      pipeline.ErrMismatch,
		live.KindUnknownBucket: fmt.Errorf("bucket b %w", pipeline.ErrUnknownBucket),
		live.KindMissing:       pipeline.Permanent(pipeline.ErrMissing),
		"":                     errors.New("timeout"),
	} {
		a := live.NewActivity()
		livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "a", pipeline.Permanent(err)))
		if f := a.Status().Failures; len(f) != 1 || f[0].Kind != want {
			t.Errorf("%v: failures are %+v, want kind %q", err, f, want)
		}
	}
	a := live.NewActivity()
	livetest.End(t, a, pipeline.Delivery{MessageID: "m", Fate: pipeline.DeadLettered, Err: pipeline.Permanent(errors.New("not JSON"))})
	if f := a.Status().Failures; len(f) != 1 || f[0].Kind != live.KindUndecodable {
		t.Errorf("failures are %+v", f)
	}
}
