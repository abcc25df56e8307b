package telemetry_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// empty is a bucket that costs no time, so that the benchmark measures the telemetry.
type empty struct {
	pipeline.Source
	pipeline.Recorder
}

func (empty) Open(context.Context, pipeline.Object) (pipeline.Reader, error) { return nothing{}, nil }
func (empty) Stat(_ context.Context, o pipeline.Object) (pipeline.Object, error) {
	return o, nil
}
func (empty) Lookup(context.Context, pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	return pipeline.Record{}, nil, pipeline.ErrNotFound
}
func (empty) Save(context.Context, pipeline.Record, pipeline.Seen) error { return nil }

type nothing struct{ pipeline.Reader }

func (nothing) Read(p []byte) (int, error) { return len(p), io.EOF }
func (nothing) Close() error               { return nil }
func (nothing) Object() pipeline.Object    { return pipeline.Object{} }

// BenchmarkSmallObject measures the cost of metrics, and of traces, for one object.
func BenchmarkSmallObject(b *testing.B) {
	for _, mode := range []string{"plain", "measured", "traced"} {
		b.Run(mode, func(b *testing.B) {
			x := newBench(b, mode == "traced")
			bucket := pipeline.Bucket{Source: empty{}, Records: empty{}}
			publish := func(context.Context, pipeline.Result) error { return nil }
			observer := pipeline.Observers()
			if mode != "plain" {
				observer = pipeline.Observers(x.telemetry.Observer(), pipeline.Observer{})
				bucket = observer.Bucket(bucket)
			}
			var (
				o      = pipeline.Object{Bucket: "inbox", Key: "a"}
				events = []pipeline.Handled{{Event: pipeline.Event{Kind: pipeline.Created, Time: time.Now(), Object: o}}}
				buf    = make([]byte, 16<<10)
			)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				ctx := observer.Begin(b.Context(), pipeline.Delivery{})
				_, _, _ = bucket.Records.Lookup(ctx, o)
				r, _ := bucket.Source.Open(ctx, o)
				_, _ = r.Read(buf)
				_ = r.Close()
				_ = bucket.Records.Save(ctx, pipeline.Record{Source: o}, nil)
				result := pipeline.Result{Outcome: pipeline.Recorded}
				observer.Result(ctx, result, observer.Publish(ctx, publish, result))
				observer.End(ctx, pipeline.Delivery{Fate: pipeline.Acked, Events: events})
				if x.spans != nil && n%1000 == 0 {
					x.spans.Reset()
				}
			}
		})
	}
}
