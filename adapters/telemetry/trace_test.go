package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	parent  = "00-" + traceID + "-b7ad6b7169203331-01"
)

// shape returns the spans of the trace as NAME<PARENT, with their status descriptions.
func (b *bench) shape() map[string]string {
	b.t.Helper()
	names := map[string]string{"b7ad6b7169203331": "event"}
	all := b.spans.GetSpans()
	for _, s := range all {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	shape := make(map[string]string)
	for _, s := range all {
		if s.SpanContext.TraceID().String() == traceID {
			shape[s.Name+"<"+names[s.Parent.SpanID().String()]] = s.Status.Description
		}
	}
	return shape
}

func TestSpans(t *testing.T) {
	b := newBench(t, true)
	b.run(nil)
	b.handled(1, "inbox/a", map[string]string{"traceparent": parent})
	b.handled(1, "!", map[string]string{"traceparent": parent}) // the span of the first ack has ended when this is handled
	want := map[string]string{
		"process<event": "not an event", "lookup<process": "", "open<process": "", "hash<process": "", "record<process": "",
		"publish<process": "", "ack<process": "", "dead-letter<process": "",
	}
	if diff := cmp.Diff(want, b.shape()); diff != "" {
		t.Errorf("spans and their errors (-want +got):\n%s", diff)
	}
	if got := b.dead.messages[0].Metadata["traceparent"]; !strings.HasPrefix(got, "00-"+traceID) || got == parent {
		t.Errorf("the dead letter's traceparent is %q", got)
	}
}

// TestContinuationKeepsTrace asserts that a continuation belongs to the same trace, as a child of
// the work that it continues.
func TestContinuationKeepsTrace(t *testing.T) {
	b := newBench(t, true)
	b.run(func(context.Context, pipeline.Event) error { return pipeline.Unfinished(1) })
	b.handled(1, "inbox/a", map[string]string{"traceparent": parent, "tracestate": "a=b"})
	rest := b.rest.messages[0].Metadata
	if got := rest["traceparent"]; !strings.HasPrefix(got, "00-"+traceID) || got == parent || rest["tracestate"] != "a=b" {
		t.Errorf("metadata of the continuation: %v", rest)
	}
	if got := b.shape(); got["continue<process"] != "" || len(got) < 2 {
		t.Errorf("spans %v", got)
	}
}

// logLines receives what a log writes, line by line.
type logLines chan []byte

func (l logLines) Write(line []byte) (int, error) {
	l <- bytes.Clone(line)
	return len(line), nil
}

// TestUntraced asserts that without tracing the dead letter and the log have the message's own
// trace.
func TestUntraced(t *testing.T) {
	b := newBench(t, false)
	log := make(logLines, 4)
	b.config.Log = slog.New(telemetry.LogHandler(slog.NewJSONHandler(log, nil)))
	b.run(nil)
	b.handled(1, "secrets/a", map[string]string{"traceparent": parent, "tracestate": "a=b"})
	if got := b.dead.messages[0].Metadata; got["traceparent"] != parent || got["tracestate"] != "a=b" {
		t.Errorf("metadata of the dead letter: %v", got)
	}
	var line struct {
		Trace string `json:"trace_id"`
		Span  string `json:"span_id"`
	}
	if err := json.Unmarshal(<-log, &line); err != nil || line.Trace != traceID || line.Span != "b7ad6b7169203331" {
		t.Errorf("%v: logged %+v", err, line)
	}
}

func TestMalformedTraceparent(t *testing.T) {
	b := newBench(t, true)
	b.run(nil)
	b.handled(1, "inbox/a", map[string]string{"traceparent": "00-" + strings.Repeat("0", 32) + "-x-01"})
	b.handled(1, "inbox/b", nil)
	roots := 0
	for _, s := range b.spans.GetSpans() {
		if s.Name == "process" && !s.Parent.IsValid() {
			roots++
		}
	}
	if roots != 2 {
		t.Errorf("%d traces were begun, want 2", roots)
	}
}

// TestLogHandler asserts that the lines of a derived logger have the trace, too.
func TestLogHandler(t *testing.T) {
	b := newBench(t, true)
	var log bytes.Buffer
	l := slog.New(telemetry.LogHandler(slog.NewTextHandler(&log, nil))).With("a", 1).WithGroup("g")
	ctx := b.telemetry.Observer().Begin(t.Context(), pipeline.Delivery{Trace: pipeline.Trace{Parent: parent}})
	l.InfoContext(ctx, "in")
	l.Info("out")
	b.telemetry.Observer().End(ctx, pipeline.Delivery{Fate: pipeline.Acked})
	lines := strings.Split(log.String(), "\n")
	if !strings.Contains(lines[0], "trace_id="+traceID) || strings.Contains(lines[1], "trace_id") {
		t.Errorf("%q", lines)
	}
}
