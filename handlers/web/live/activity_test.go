package live_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func TestActivityTotals(t *testing.T) {
	a := live.NewActivity()
	for i, outcome := range []pipeline.Outcome{
		pipeline.Recorded, pipeline.Recorded, pipeline.Current, pipeline.Removed, pipeline.Kept,
	} {
		livetest.Publish(t, a, livetest.Result(outcome, livetest.Object(fmt.Sprint(i), 10)))
	}
	a.HadRecord()
	a.Fail(livetest.Object("odd", pipeline.UnknownSize), "not UTF-8")
	broken := errors.New("broken")
	livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "dead", pipeline.Permanent(broken)))
	livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "late", broken))
	livetest.End(t, a, livetest.Delivery(pipeline.Acked, "gone", pipeline.ErrNotFound))
	livetest.End(t, a, pipeline.Delivery{Fate: pipeline.Acked})
	livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "stopped", fmt.Errorf("read: %w", pipeline.ErrDrainTimeout)))
	livetest.End(t, a, pipeline.Delivery{MessageID: "garbage", Fate: pipeline.DeadLettered, Err: pipeline.Permanent(broken)})

	s := a.Status()
	want := live.Totals{Summed: 2, Bytes: 20, Current: 2, Removed: 1, Kept: 1, Failed: 3, Returned: 2}
	if diff := cmp.Diff(want, s.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	var failures []string
	for _, f := range s.Failures {
		failures = append(failures, fmt.Sprint(f.Key, " ", f.MessageID, " ", f.Attempt, " ", f.Final))
	}
	if diff := cmp.Diff([]string{" garbage 0 true", "late m-late 2 false", "dead m-dead 2 true", "odd  0 true"}, failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if len(s.Results) != 5 || s.Results[0].Outcome != pipeline.Kept || s.Results[4].Outcome != pipeline.Recorded {
		t.Errorf("results are %+v", s.Results)
	}
}

// TestActivityPartialFailure lists the failed events of a message.
func TestActivityPartialFailure(t *testing.T) {
	a := live.NewActivity()
	failed := errors.New("denied")
	livetest.End(t, a, pipeline.Delivery{Fate: pipeline.Nacked, Err: failed, Events: []pipeline.Handled{
		{Event: pipeline.Event{Object: livetest.Object("done", 1)}},
		{Event: pipeline.Event{Object: livetest.Object("gone", 1)}, Err: pipeline.ErrMissing},
		{Event: pipeline.Event{Object: livetest.Object("denied", 1)}, Err: failed},
	}})
	if f := a.Status().Failures; len(f) != 1 || f[0].Key != "denied" || f[0].Reason != "denied" {
		t.Errorf("failures are %+v", f)
	}
}

// TestActivityFailureEnds lists only the last failure of an object, and none after its success.
func TestActivityFailureEnds(t *testing.T) {
	a := live.NewActivity()
	livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "a", errors.New("first")))
	livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "b", errors.New("other")))
	livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "a", errors.New("second")))
	if f := a.Status().Failures; len(f) != 2 || f[0].Key != "a" || f[0].Reason != "second" || !f[0].Final {
		t.Errorf("failures are %+v", f)
	}
	livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object("a", 1)))
	if f := a.Status().Failures; len(f) != 1 || f[0].Key != "b" {
		t.Errorf("failures are %+v", f)
	}
	if a.Status().Totals.Failed != 1 {
		t.Errorf("totals are %+v", a.Status().Totals)
	}
}

// TestActivityMended counts only objects that still fail.
func TestActivityMended(t *testing.T) {
	a := live.NewActivity()
	a.Fail(livetest.Object("closed/", pipeline.UnknownSize), "permission denied")
	a.Fail(livetest.Object("other/", pipeline.UnknownSize), "permission denied")
	a.Mended(livetest.Object("closed/", pipeline.UnknownSize), 1, 0)
	if s := a.Status(); s.Totals.Failed != 1 || len(s.Failures) != 1 || s.Failures[0].Key != "other/" {
		t.Errorf("status is %+v", s)
	}
}

func TestActivityBounds(t *testing.T) {
	a := live.NewActivity()
	long := strings.Repeat("ä", 100_000)
	for i := range 250 {
		livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object(fmt.Sprint(i, long), 1)))
		a.Fail(livetest.Object(fmt.Sprint("f", i, long), 1), long)
		if _, err := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source.Open(t.Context(), livetest.Object(fmt.Sprint(i, long), 1)); err != nil {
			t.Fatal(err)
		}
	}
	s := a.Status()
	if len(s.Results) != 100 || len(s.Failures) != 100 || len(s.InWork) != 100 || s.InWorkCount != 250 {
		t.Errorf("%d results, %d failures, %d of %d in work", len(s.Results), len(s.Failures), len(s.InWork), s.InWorkCount)
	}
	if s.Totals.Summed != 250 || s.Totals.Failed != 250 {
		t.Errorf("totals are %+v", s.Totals)
	}
	r, f := s.Results[0], s.Failures[99]
	if !strings.HasPrefix(r.Key, "249ä") || !strings.HasSuffix(r.Key, "ä…") || len(r.Key) > 4096 {
		t.Errorf("newest result has a key of %d bytes: %.20s", len(r.Key), r.Key)
	}
	if !strings.HasPrefix(f.Key, "f150ä") || len(f.Reason) > 1000 {
		t.Errorf("oldest failure is %.20s with a reason of %d bytes", f.Key, len(f.Reason))
	}
}

func TestActivitySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		s := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source
		if _, err := s.Open(t.Context(), pipeline.Object{}); !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		select {
		case <-a.Begun():
			t.Error("work has begun")
		default:
		}
		first, err := s.Open(t.Context(), livetest.Object("z", 4096))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the second one begins later
		second, err := s.Open(t.Context(), livetest.Object("a", pipeline.UnknownSize))
		if err != nil {
			t.Fatal(err)
		}
		<-a.Begun()
		if _, err := io.CopyN(io.Discard, first, 1000); err != nil {
			t.Fatal(err)
		}
		work := a.Status().InWork
		if len(work) != 2 || work[0].Key != "z" || work[0].Read != 1000 || *work[0].Size != 4096 || work[1].Key != "a" || work[1].Size != nil {
			t.Errorf("in work: %+v", work)
		}
		for _, r := range []pipeline.Reader{first, second} {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if s := a.Status(); len(s.InWork) != 0 || s.InWorkCount != 0 {
			t.Errorf("in work: %+v", s.InWork)
		}
	})
}

// atHand returns zeros without waiting.
type atHand struct{ pipeline.Reader }

func (r atHand) ReadNow(p []byte) (int, error) { return r.Read(p) }

type atHandSource struct{ livetest.Source }

func (s atHandSource) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	r, err := s.Source.Open(ctx, o)
	return atHand{r}, err
}

// TestActivityReadsNow counts bytes that ReadNow returns.
func TestActivityReadsNow(t *testing.T) {
	a := live.NewActivity()
	for _, test := range []struct {
		source pipeline.Source
		want   int
		err    error
	}{{atHandSource{}, 1000, nil}, {livetest.Source{}, 0, errors.ErrUnsupported}} {
		r, err := a.Observer().Bucket(pipeline.Bucket{Source: test.source}).Source.Open(t.Context(), livetest.Object("a", 4096))
		if err != nil {
			t.Fatal(err)
		}
		n, err := r.(digest.ReaderNow).ReadNow(make([]byte, 1000))
		if work := a.Status().InWork; n != test.want || !errors.Is(err, test.err) || work[0].Read != int64(n) {
			t.Errorf("got %d, %v, in work %+v; want %d, %v", n, err, work, test.want, test.err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestActivityConcurrently(t *testing.T) {
	a := live.NewActivity()
	s := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 100 {
				o := livetest.Object(fmt.Sprint(w, "/", i), 64)
				r, err := s.Open(t.Context(), o)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.CopyN(io.Discard, r, 64)
				livetest.End(t, a, livetest.Delivery(pipeline.Nacked, o.Key, io.ErrUnexpectedEOF))
				livetest.Publish(t, a, livetest.Result(pipeline.Recorded, o))
				_ = r.Close()
				if got := a.Status(); len(got.Results) > 100 || got.InWorkCount > 8 {
					t.Errorf("%d results, %d in work", len(got.Results), got.InWorkCount)
				}
			}
		})
	}
	workers.Wait()
	got := a.Status()
	want := live.Totals{Summed: 800, Bytes: 800 * 64, Returned: 800}
	if got.Totals != want || len(got.Failures) > 0 || got.InWorkCount > 0 {
		t.Errorf("got %+v, %d failures, %d in work", got.Totals, len(got.Failures), got.InWorkCount)
	}
}

func BenchmarkActivity(b *testing.B) {
	a := live.NewActivity()
	r := livetest.Result(pipeline.Recorded, livetest.Object("a", 1))
	b.ReportAllocs()
	for b.Loop() {
		livetest.Publish(b, a, r)
	}
}
