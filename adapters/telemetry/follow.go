package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bucketsum/bucketsum/pipeline"
)

var (
	_ pipeline.Follower = (*Telemetry)(nil)

	w3c propagation.TraceContext
)

// Begin implements pipeline.Follower.
func (t *Telemetry) Begin(ctx context.Context, d pipeline.Delivery, traceparent, tracestate string) context.Context {
	t.inFlight.Add(1)
	if traceparent != "" {
		ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
	}
	if t.tracer == nil {
		return ctx
	}
	ctx, _ = t.tracer.Start(ctx, "process", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(d.MessageID), attribute.Int("bucketsum.attempt", d.Attempt)))
	return ctx
}

// End implements pipeline.Follower.
func (t *Telemetry) End(ctx context.Context, d pipeline.Delivery) {
	now := time.Now()
	t.inFlight.Add(-1)
	if d.Fate != pipeline.Nacked {
		t.progressed(now)
	}
	if d.Retries > 0 {
		t.measures.retries.Add(ctx, int64(d.Retries))
	}
	if why := d.GivenUp(); why != "" {
		t.measures.deadLetters.add(ctx, string(why))
	}
	begin := now.Add(-d.Duration)
	if len(d.Events) == 0 && d.Err != nil { // it could not be decoded
		if outcome := outcomeOf(d, pipeline.Handled{Err: d.Err}); outcome != "" {
			t.measures.objects.add(ctx, outcome)
		}
	}
	for _, h := range d.Events {
		if h.Event.Kind == pipeline.Ignored && h.Err == nil {
			continue // it asks for no work
		}
		if outcome := outcomeOf(d, h); outcome != "" {
			t.measures.objects.add(ctx, outcome)
		}
		if !h.Event.Time.IsZero() && d.Fate != pipeline.Nacked {
			wait := t.measures.phases[phaseWait]
			wait.Record(ctx, max(begin.Sub(h.Event.Time).Seconds(), 0), wait.labels...) // clocks differ
		}
	}
	if t.tracer == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("bucketsum.fate", string(d.Fate)), attribute.Int("bucketsum.events", len(d.Events)))
	if d.Fate == pipeline.Nacked || d.Fate == pipeline.DeadLettered {
		failed(span, d.Err)
	}
	span.End()
}

// outcomeOf returns how an event counts that no result tells of; empty if one does, or
// if there is more to come.
func outcomeOf(d pipeline.Delivery, h pipeline.Handled) string {
	switch class := pipeline.Classify(h.Err); {
	case h.Duplicate:
		return outcomeDuplicate
	case class == pipeline.ClassNone, class == pipeline.ClassUnfinished && d.Fate == pipeline.Continued:
		return ""
	case class == pipeline.ClassSuperseded:
		return outcomeSuperseded
	case errors.Is(h.Err, pipeline.ErrMismatch) && d.Fate == pipeline.DeadLettered:
		return "" // its result says so
	case d.Fate == pipeline.DeadLettered:
		return outcomeFailed
	case errors.Is(d.Err, pipeline.ErrDrainTimeout):
		return "" // nothing is wrong with it but that we stop
	}
	return outcomeReturned
}

// Trace implements pipeline.Follower.
func (t *Telemetry) Trace(ctx context.Context) (traceparent, tracestate string) {
	if t.tracer == nil {
		return "", ""
	}
	carrier := make(propagation.MapCarrier, 2)
	w3c.Inject(ctx, carrier)
	return carrier["traceparent"], carrier["tracestate"]
}

// LeaseWatch returns what watches leases, and how queues are told what became of their
// messages.
func (t *Telemetry) LeaseWatch() pipeline.LeaseWatch {
	w := pipeline.LeaseWatch{
		Extended: func() { t.measures.extensions.Add(context.Background(), 1) },
		Lost:     func() { t.measures.losses.Add(context.Background(), 1) },
	}
	if t.tracer != nil {
		w.Settle = func(ctx context.Context, acked bool) func(error) {
			name := "nack"
			if acked {
				name = "ack"
			}
			_, end := t.span(ctx, name)
			return end
		}
	}
	return w
}

// span begins one below that of ctx, if anything is traced, and returns what ends it.
func (t *Telemetry) span(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, func(error)) {
	if t.tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(attributes...))
	return ctx, func(err error) {
		failed(span, err)
		span.End()
	}
}

// failed notes an error, unless it is one of those that are no failure.
func failed(span trace.Span, err error) {
	switch pipeline.Classify(err) {
	case pipeline.ClassNone:
	case pipeline.ClassSuperseded, pipeline.ClassUnfinished:
		span.SetAttributes(attribute.String("bucketsum.reason", err.Error()))
	default:
		span.SetStatus(codes.Error, err.Error())
	}
}
