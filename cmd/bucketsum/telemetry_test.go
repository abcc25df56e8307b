package main

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"gocloud.dev/pubsub"
	"google.golang.org/protobuf/proto"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// collector receives OTLP over HTTP.
type collector struct {
	url string

	mu      sync.Mutex
	spans   []*spans.Span
	service string
	metrics map[string]bool
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{metrics: make(map[string]bool)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.receive(w, r); err != nil {
			t.Errorf("POST %s: %v", r.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) receive(w http.ResponseWriter, r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	if r.URL.Path == "/v1/metrics" {
		var request metricspb.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			return err
		}
		for _, of := range request.ResourceMetrics {
			for _, in := range of.ScopeMetrics {
				for _, m := range in.Metrics {
					c.metrics[m.Name] = true
				}
			}
		}
		return nil
	}
	var request tracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	for _, of := range request.ResourceSpans {
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				c.service = a.Value.GetStringValue()
			}
		}
		for _, in := range of.ScopeSpans {
			c.spans = append(c.spans, in.Spans...)
		}
	}
	return nil
}

// tree returns the names of the spans of a trace, each below its parent.
func (c *collector) tree(trace, parent string) map[string]any {
	below := make(map[string]any)
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace && hex.EncodeToString(s.ParentSpanId) == parent {
			below[s.Name] = c.tree(trace, hex.EncodeToString(s.SpanId))
		}
	}
	return below
}

// find returns the id of the only span with this name in a trace.
func (c *collector) find(t *testing.T, trace, name string) string {
	t.Helper()
	var ids []string
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace && s.Name == name {
			ids = append(ids, hex.EncodeToString(s.SpanId))
		}
	}
	if len(ids) != 1 {
		t.Fatalf("the trace has %d spans %q", len(ids), name)
	}
	return ids[0]
}

// TestTelemetryByOTLP follows traces from the event to the acknowledgement, the result,
// the dead letter and the log, and receives them and the metrics by OTLP.
func TestTelemetryByOTLP(t *testing.T) {
	c := startCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.url)
	t.Setenv("OTEL_SERVICE_NAME", "sums")
	dir, id := t.TempDir(), rand.Text()
	write(t, dir, "a", []byte("hello\n"))
	queue, dead, results := "mem://events-"+id, "mem://dead-"+id, "mem://results-"+id
	events, announced := openTopic(t, queue), subscribeResults(t, results)
	letters := subscribeResults(t, dead).subscription
	s := serve(t, nil, "--queue", queue, "--dead-letter", dead, "--results", results, "--bucket", "inbox=file://"+dir)
	const (
		good, bad = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319c"
		parent    = "b7ad6b7169203331"
	)
	for body, trace := range map[string]string{
		objectEvent("Object Created", "inbox", "a", "01"):   good,
		objectEvent("Object Created", "secrets", "b", "02"): bad,
	} {
		if err := events.Send(t.Context(), &pubsub.Message{Body: []byte(body), Metadata: map[string]string{
			"traceparent": "00-" + trace + "-" + parent + "-01",
		}}); err != nil {
			t.Fatal(err)
		}
	}
	published := make(map[string]string)
	for range 2 {
		msg, err := announced.subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		msg.Ack()
		var e struct{ Type, Traceparent string }
		if err := json.Unmarshal(msg.Body, &e); err != nil {
			t.Fatal(err)
		}
		published[e.Type] = e.Traceparent
	}
	letter, err := letters.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	letter.Ack()
	line := s.until("object handled")
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.service != "sums" {
		t.Errorf("the service is %q", c.service)
	}
	type m = map[string]any
	if diff := cmp.Diff(m{"process": m{"lookup": m{}, "open": m{}, "hash": m{}, "record": m{}, "publish": m{}, "ack": m{}}}, c.tree(good, parent)); diff != "" {
		t.Errorf("spans of what was summed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(m{"process": m{"publish": m{}, "dead-letter": m{}, "ack": m{}}}, c.tree(bad, parent)); diff != "" {
		t.Errorf("spans of what was given up (-want +got):\n%s", diff)
	}
	process := c.find(t, good, "process")
	if want := "trace_id=" + good + " span_id=" + process; !strings.Contains(line, want) {
		t.Errorf("the log has %q, want %q", line, want)
	}
	want := map[string]string{
		cloudevents.TypeRecorded: "00-" + good + "-" + c.find(t, good, "publish") + "-01",
		cloudevents.TypeFailed:   "00-" + bad + "-" + c.find(t, bad, "publish") + "-01",
	}
	if diff := cmp.Diff(want, published); diff != "" {
		t.Errorf("traceparent of results (-want +got):\n%s", diff)
	}
	if got, want := letter.Metadata["traceparent"], "00-"+bad+"-"+c.find(t, bad, "process")+"-01"; got != want {
		t.Errorf("the dead letter is of %q, want %q", got, want)
	}
	for _, name := range []string{"bucketsum.objects", "bucketsum.phase.duration", "bucketsum.in_flight", "gocloud.dev/pubsub/latency"} {
		if !c.metrics[name] {
			t.Errorf("no metric %s was sent", name)
		}
	}
}

// TestOTLPProtocol expects an error of one line for unsupported exporters.
func TestOTLPProtocol(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	for name, value := range map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "zipkin"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			status, _, stderr := call(t, nil, "serve", "--listen=off", "--queue", "mem://q", "--bucket", "b=mem://", "--log-level=error")
			if status != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, name) || !strings.Contains(stderr, "valid") {
				t.Errorf("status %d, %q", status, stderr)
			}
		})
	}
}

func TestProfilesAreForThisMachineOnly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	status, _, stderr := call(t, nil, "serve", "--listen", "off", "--queue", "mem://q", "--bucket", "b=mem://", "--pprof", taken.Addr().String())
	if want := "--pprof: another program listens at " + taken.Addr().String() + ": choose another port"; status != exitFailed || !strings.Contains(stderr, want) {
		t.Errorf("status %d, %q, want %q", status, stderr, want)
	}
	for address, want := range map[string]string{
		":6060": "can be reached from other machines", "0.0.0.0:6060": "can be reached from other machines",
		"example.com:6060": "can be reached from other machines", "6060": "HOST:PORT", "127.0.0.1:": "HOST:PORT",
	} {
		status, _, stderr := call(t, nil, "serve", "--queue", "mem://q", "--bucket", "b=mem://", "--pprof", address)
		if status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %q", address, status, stderr)
		}
	}
	s := serve(t, nil, "--queue", "mem://events-"+rand.Text(), "--bucket", "b=mem://", "--pprof", "127.0.0.1:0")
	i := slices.IndexFunc(s.seen, program.Contains(`msg="serving profiles"`))
	if i < 0 {
		t.Fatalf("where the profiles are is not in %q", s.seen)
	}
	address := logged(s.seen[i], "pprof")
	if status, body := program.Get(t, "http://"+address+"/debug/pprof/"); status != http.StatusOK || !strings.Contains(body, "goroutine") {
		t.Errorf("%d %q", status, body)
	}
	request, err := http.NewRequestWithContext(context.Background(), "GET", "http://"+address+"/debug/pprof/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Close = "rebound.example", true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under another name it answers %s", response.Status)
	}
}
