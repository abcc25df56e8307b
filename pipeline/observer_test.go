package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// watcher collects the calls of an Observer. If it traces, it has its own trace.
type watcher struct {
	traces bool

	mu    sync.Mutex
	begun []string
	ended []pipeline.Delivery
}

type watched struct{}

func (f *watcher) observer() pipeline.Observer {
	return pipeline.Observer{Begin: f.begin, End: f.end, Trace: f.trace}
}

func (f *watcher) begin(ctx context.Context, d pipeline.Delivery) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = append(f.begun, fmt.Sprint(d.MessageID, " ", d.Attempt, " ", d.Trace.Parent, " ", d.Trace.State))
	return context.WithValue(ctx, watched{}, d.MessageID)
}

func (f *watcher) end(ctx context.Context, d pipeline.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Value(watched{}) != d.MessageID {
		panic("another context than Begin's")
	}
	f.ended = append(f.ended, d)
}

func (f *watcher) trace(ctx context.Context) pipeline.Trace {
	if id := ctx.Value(watched{}); f.traces && id != nil {
		return pipeline.Trace{Parent: fmt.Sprint("below ", id), State: "state"}
	}
	return pipeline.Trace{}
}

func TestObserver(t *testing.T) {
	for _, traces := range []bool{false, true} {
		t.Run(fmt.Sprint("traces ", traces), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &watcher{traces: traces}
				var seen []string
				p := start(t, func(ctx context.Context, e pipeline.Event) error {
					trace := pipeline.TraceOf(ctx)
					seen = append(seen, trace.Parent+" "+trace.State)
					if len(seen) < 3 {
						return errors.New("503")
					}
					return pipeline.Permanent(errors.New("broken"))
				}, func(c *pipeline.Config) { c.Observer = f.observer() })
				p.queue.send("m", "a", "traceparent", "parent", "tracestate", "a=b")
				p.settle()
				p.wantStopped(t)

				trace := "parent a=b"
				if traces {
					trace = "below m state"
				}
				if diff := cmp.Diff([]string{trace, trace, trace}, seen); diff != "" {
					t.Errorf("traces that the handler saw (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"m 1 parent a=b"}, f.begun); diff != "" {
					t.Errorf("begun (-want +got):\n%s", diff)
				}
				if len(f.ended) != 1 || f.ended[0].Fate != pipeline.DeadLettered || f.ended[0].Retries != 2 {
					t.Errorf("ended %+v", f.ended)
				}
				dead := p.deadLetter(t, "m").Metadata
				if got := dead["traceparent"] + " " + dead["tracestate"]; got != trace {
					t.Errorf("the dead letter is of %q, want %q", got, trace)
				}
			})
		})
	}
}

func TestTraceOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got pipeline.Trace
		p := start(t, func(ctx context.Context, _ pipeline.Event) error {
			got = pipeline.TraceOf(ctx)
			return nil
		})
		p.queue.send("m", "a", "traceparent", "00-01", "tracestate", "a=b")
		p.settle()
		if want := (pipeline.Trace{Parent: "00-01", State: "a=b"}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	if got := pipeline.TraceOf(t.Context()); got != (pipeline.Trace{}) {
		t.Errorf("of no message: %q", got)
	}
}
