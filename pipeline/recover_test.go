package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bucketsum/bucketsum/pipeline"
)

func explode(context.Context, pipeline.Event) error {
	var none map[string]int
	//lint:ignore SA5000 the panic is what is tested
	none["boom"]++
	return nil
}

func TestPanicIsAnErrorWithItsStack(t *testing.T) {
	for _, tc := range []struct {
		name, body, place string
		handle            pipeline.Handler
	}{
		{"handler", "a", "pipeline_test.explode", explode},
		{"one of several events", "a\nb", "pipeline_test.explode", explode},
		{"decoder", "!panic", "pipeline_test.decode", always(nil)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, tc.handle, withoutRetry, maxDeliveries(2))
				p.queue.send("m", tc.body)
				p.settle()

				p.wantSettled(t, nacked("m", 1), acked("m", 2))
				for i, d := range p.observed() { // also after it was given up
					panicked, ok := errors.AsType[*pipeline.PanicError](d.Err)
					if !ok || !strings.Contains(panicked.Stack, tc.place) || panicked.Value == nil {
						t.Errorf("observed %#v, want a PanicError with its stack", d.Err)
					}
					if text := d.Err.Error(); strings.Contains(text, "goroutine") {
						t.Errorf("the stack is in the error's text: %s", text)
					}
					stack, _ := p.log.of(t, "m")[i]["stack"].(string)
					if !strings.Contains(stack, tc.place) {
						t.Errorf("stack in the log is %q", stack)
					}
				}
			})
		})
	}
}

func TestPanicDoesNotStopOtherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls calls
		p := start(t, func(ctx context.Context, e pipeline.Event) error {
			if calls.add(e.Object.Key) == 1 && e.Object.Key == "bad" {
				return explode(ctx, e)
			}
			return nil
		}, withoutRetry)
		p.queue.send("m", "first#1\nbad#1\nlast#1")
		p.queue.send("other", "other#1")
		p.settle()
		if first, last, bad := calls.of("first"), calls.of("last"), calls.of("bad"); first != 2 || last != 2 || bad != 2 {
			t.Errorf("handled first %d, last %d, bad %d times, want each in both deliveries", first, last, bad)
		}
		p.wantSettled(t, acked("other", 1), nacked("m", 1), acked("m", 2))
		p.wantStopped(t)
	})
}
