package pipeline

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Follower follows deliveries through their handling, for whoever measures or traces
// them. Its methods are safe for concurrent use and must not block.
type Follower interface {
	// Begin is told of a delivery before it is handled, of which only MessageID and
	// Attempt are known, and of the trace that its message belongs to, as the message
	// says it; empty: none. The delivery is handled in the context that it returns,
	// one of ctx, and the message keeps that until it is acknowledged.
	Begin(ctx context.Context, d Delivery, traceparent, tracestate string) context.Context
	// End is told what became of it, before it is acknowledged. ctx is Begin's.
	End(ctx context.Context, d Delivery)
	// Trace returns what those are told who go on with the work of ctx, which is
	// Begin's or one of it. An empty traceparent: what the message said.
	Trace(ctx context.Context) (traceparent, tracestate string)
}

// Metadata that carries on the trace that a message belongs to, as W3C's Trace
// Context has it.
const (
	MetadataTraceparent = "traceparent"
	MetadataTracestate  = "tracestate"
)

// TraceOf returns the trace that ctx belongs to, a handler's or one of it. Both are
// empty if there is none.
func TraceOf(ctx context.Context) (traceparent, tracestate string) {
	d, ok := ctx.Value(deliveryKey{}).(*Delivery)
	if !ok {
		return "", ""
	}
	if d.follower != nil {
		if parent, state := d.follower.Trace(ctx); parent != "" {
			return parent, state
		}
	}
	return d.traceparent, d.tracestate
}

// carryTrace lets a message go on with the trace of the one that is in work.
func carryTrace(ctx context.Context, to message.Metadata) {
	parent, state := TraceOf(ctx)
	for name, value := range map[string]string{MetadataTraceparent: parent, MetadataTracestate: state} {
		if value != "" {
			to.Set(name, value)
		}
	}
}
