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

var w3c propagation.TraceContext

// Observer returns the observer that measures and traces the work.
func (t *Telemetry) Observer() pipeline.Observer {
	o := pipeline.Observer{
		Begin: t.begin, End: t.end, Result: t.result, Stepped: t.stepped, Opened: t.opened,
		Advanced: func(bytes int) {
			t.bytes.Add(int64(bytes))
			t.progressed(time.Now())
		},
		Lease: func(change pipeline.LeaseChange) {
			switch change {
			case pipeline.LeaseExtended:
				t.measures.extensions.Add(context.Background(), 1)
			case pipeline.LeaseLost:
				t.measures.losses.Add(context.Background(), 1)
			}
		},
	}
	if t.tracer != nil {
		o.Trace, o.Step = t.trace, t.step
	}
	return o
}

func (t *Telemetry) begin(ctx context.Context, d pipeline.Delivery) context.Context {
	t.inFlight.Add(1)
	if d.Trace.Parent != "" {
		ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": d.Trace.Parent, "tracestate": d.Trace.State})
	}
	if t.tracer == nil {
		return ctx
	}
	ctx, _ = t.tracer.Start(ctx, "process", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(d.MessageID), attribute.Int("bucketsum.attempt", d.Attempt)))
	return ctx
}

func (t *Telemetry) end(ctx context.Context, d pipeline.Delivery) {
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
	if len(d.Events) == 0 && d.Err != nil { // the message could not be decoded
		if outcome := outcomeOf(d, pipeline.Handled{Err: d.Err}); outcome != "" {
			t.measures.objects.add(ctx, outcome)
		}
	}
	for _, h := range d.Events {
		if h.Event.Kind == pipeline.Ignored && h.Err == nil {
			continue // the event requires no work
		}
		if h.Event.Kind == pipeline.Sweep {
			continue // it is counted as a shard; the objects that it examines have their own results
		}
		if outcome := outcomeOf(d, h); outcome != "" {
			t.measures.objects.add(ctx, outcome)
		}
		if why := pipeline.Superseded(h.Err); why != "" {
			t.measures.superseded.add(ctx, string(why))
		}
		if !h.Event.Time.IsZero() && d.Fate != pipeline.Nacked {
			wait := &t.measures.wait
			wait.Record(ctx, max(begin.Sub(h.Event.Time).Seconds(), 0), wait.labels...) // clocks may differ
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

// outcomeOf returns the outcome of an event that has no result. It returns "" if the event
// has a result, or will have one later.
func outcomeOf(d pipeline.Delivery, h pipeline.Handled) string {
	switch class := pipeline.Classify(h.Err); {
	case class == pipeline.ClassNone, class == pipeline.ClassUnfinished && d.Fate == pipeline.Continued:
		return ""
	case class == pipeline.ClassSuperseded:
		return outcomeSuperseded
	case errors.Is(h.Err, pipeline.ErrMismatch) && d.Fate == pipeline.DeadLettered:
		return "" // it has a result
	case d.Fate == pipeline.DeadLettered:
		return outcomeFailed
	case errors.Is(d.Err, pipeline.ErrDrainTimeout):
		return "" // the worker stops; nothing is wrong with the event
	}
	return outcomeReturned
}

func (t *Telemetry) trace(ctx context.Context) pipeline.Trace {
	carrier := make(propagation.MapCarrier, 2)
	w3c.Inject(ctx, carrier)
	return pipeline.Trace{Parent: carrier["traceparent"], State: carrier["tracestate"]}
}

func (t *Telemetry) result(ctx context.Context, r pipeline.Result, err error) {
	if err != nil {
		return // the event will be handled again
	}
	t.measures.objects.add(ctx, string(r.Outcome))
	if r.Outcome == pipeline.Mismatch {
		t.measures.mismatches.Add(ctx, 1)
	}
}

// step begins a child span of that of ctx. The span names the object; metrics never do.
func (t *Telemetry) step(ctx context.Context, s pipeline.Step, o pipeline.Object) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var attributes []attribute.KeyValue
	if o != (pipeline.Object{}) {
		attributes = []attribute.KeyValue{attribute.String("bucketsum.bucket", o.Bucket), attribute.String("bucketsum.key", o.Key),
			attribute.String("bucketsum.version_id", o.VersionID)}
	}
	ctx, _ = t.tracer.Start(ctx, string(s), trace.WithAttributes(attributes...))
	return ctx
}

// stepped measures the step and ends its span.
func (t *Telemetry) stepped(ctx context.Context, s pipeline.Step, began time.Time, err error) {
	switch m := &t.measures; s {
	case pipeline.StepOpen:
		if err == nil {
			m.open.since(ctx, began)
		}
	case pipeline.StepHash:
		m.hash.since(ctx, began)
	case pipeline.StepRecord:
		m.record.since(ctx, began)
	case pipeline.StepCheckpoint:
		if err == nil {
			m.saves.Add(ctx, 1)
		}
	case pipeline.StepPublish:
		m.publish.since(ctx, began)
		outcome := "published"
		if err != nil {
			outcome = "failed"
		}
		m.results.add(ctx, outcome)
	}
	if t.tracer != nil {
		span := trace.SpanFromContext(ctx)
		failed(span, err)
		span.End()
	}
}

func (t *Telemetry) opened(r *pipeline.Reading) {
	if r.From > 0 {
		t.measures.resumes.Add(context.Background(), 1)
	}
}

// failed sets the span's status to an error. For superseded and unfinished work, and for the answer of a store
// that something is not there or has changed, which are no failures, it sets an attribute instead.
func failed(span trace.Span, err error) {
	class := pipeline.Classify(err)
	answer := errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrChanged)
	switch {
	case class == pipeline.ClassNone:
	case class == pipeline.ClassSuperseded, class == pipeline.ClassUnfinished, answer:
		span.SetAttributes(attribute.String("bucketsum.reason", err.Error()))
	default:
		span.SetStatus(codes.Error, err.Error())
	}
}
