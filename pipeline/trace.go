package pipeline

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Metadata that carries the trace of a message, as W3C Trace Context defines it:
// https://www.w3.org/TR/trace-context/.
const (
	MetadataTraceparent = "traceparent"
	MetadataTracestate  = "tracestate"
)

// Trace is a position in a distributed trace, as the two values of W3C Trace Context.
// Zero: no trace.
type Trace struct{ Parent, State string }

// TraceOf returns the trace of the work in ctx, which is a handler's context or derives from
// one.
func TraceOf(ctx context.Context) Trace {
	d, ok := ctx.Value(deliveryKey{}).(*Delivery)
	if !ok {
		return Trace{}
	}
	if t := d.observer.Trace(ctx); t.Parent != "" {
		return t
	}
	return d.Trace
}

// carryTrace puts the trace of the work in ctx into the metadata of a message.
func carryTrace(ctx context.Context, to message.Metadata) {
	t := TraceOf(ctx)
	for name, value := range map[string]string{MetadataTraceparent: t.Parent, MetadataTracestate: t.State} {
		if value != "" {
			to.Set(name, value)
		}
	}
}
