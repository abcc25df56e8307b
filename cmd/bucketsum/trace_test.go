package main

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestTrace follows one object from its upload to the acknowledgement of its event:
// versitygw is the store, JetStream the queue, and every request, message, line of the log
// and span is recorded. docs/trace.md holds what was recorded; -update writes it there.
func TestTrace(t *testing.T) {
	collected := startCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
	broker := jetstreamtest.StartSafe(t)
	store := awsenv.StartVersitygwIn(t, awsenv.Region, "--event-nats-url", "nats://"+broker.Address(), "--event-nats-topic", "s3.events")
	store.Setenv(t)
	if err := os.Mkdir(filepath.Join(store.Dir, "photos"), 0o777); err != nil {
		t.Fatal(err)
	}
	var toUser, toWorker requestLog
	messages := tapMessages(t, broker)
	s := serve(t, nil, "--queue", broker.URL("OBJECTS", "consumer=bucketsum&subject=s3.events&create=true"),
		"--dead-letter", broker.URL("FAILED", "create=true"), "--results", broker.URL("RESULTS", "create=true"),
		"--bucket", store.Before(t, toWorker.record).BucketURL("photos"), "--concurrency", "1")
	bucket, err := blob.OpenBucket(t.Context(), store.Before(t, toUser.record).BucketURL("photos"))
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	upload := func(key, content string) {
		t.Helper()
		if err := bucket.WriteAll(t.Context(), key, []byte(content), nil); err != nil {
			t.Fatal(err)
		}
		s.until(key+".md5", "is a checksum record itself") // the record's own event
	}
	upload("first", "first\n") // which finds out what the store can do
	toUser.take()
	toWorker.take()
	s.seen = nil
	const key, record = "docs/a+b.txt", "docs/a+b.txt.md5"
	upload(key, "hello\n")
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}

	collected.mu.Lock()
	defer collected.mu.Unlock()
	got := make(map[string]string) // by the names of blocks
	got["upload"] = strings.Join(toUser.take(), "\n")
	requests := toWorker.take()
	names := []string{"read", "write the record", "look again", "the other record", "the other object", "the bucket"}
	if len(requests) != len(names) {
		t.Fatalf("%d requests, want %d:\n%s", len(requests), len(names), strings.Join(requests, "\n"))
	}
	for i, name := range names {
		got[name] = requests[i]
	}
	event, delivery := messages.about(t, key)
	result := messages.one(t, func(m *nats.Msg) bool { return m.Subject == "RESULTS" && strings.Contains(string(m.Data), key) })
	ack := messages.one(t, func(m *nats.Msg) bool { return m.Subject == delivery.Reply })
	_, own := messages.about(t, record)
	got["event"] = messageText(event)
	got["delivery"] = messageText(&nats.Msg{Subject: delivery.Subject, Reply: delivery.Reply}) + "(the event)\n"
	got["result"] = messageText(result) + "\n" + messageText(messages.answer(t, result))
	got["ack"] = messageText(ack) + "\n" + messageText(messages.answer(t, ack))
	got["ack of the record's event"] = messageText(messages.one(t, func(m *nats.Msg) bool { return m.Subject == own.Reply }))
	lines := s.seen
	for _, l := range lines {
		switch {
		case strings.Contains(l, "is a checksum record itself"):
			got["log of the record's event"] += l + "\n"
		case strings.Contains(l, "key="+key):
			got["log"] += l + "\n"
		}
	}
	trace := collected.traceOf(t, key)
	got["spans"] = collected.draw(trace, "", "")
	checkTrace(t, got, collected.nameIDs(trace))
}

// requestLog has the requests to a store and their answers, as text.
type requestLog struct {
	mu   sync.Mutex
	text []string
}

// take returns the requests since the last call.
func (l *requestLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text
	l.text = nil
	return text
}

// told reports whether the trace has a header: conditions, identity and claims. Others are
// signatures and numbers that change.
func told(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains([]string{"if-match", "if-none-match", "range", "etag", "content-md5"}, name) ||
		strings.HasPrefix(name, "x-amz-meta-") || strings.HasPrefix(name, "x-amz-checksum-") || name == "x-amz-version-id"
}

func headers(h http.Header) string {
	var lines []string
	for name, values := range h {
		if told(name) {
			lines = append(lines, name+": "+strings.Join(values, ", ")+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func (l *requestLog) record(w http.ResponseWriter, r *http.Request, next http.Handler) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	text := r.Method + " " + r.URL.RequestURI() + "\n" + headers(r.Header)
	if len(sent) > 0 {
		text += "\n" + string(sent)
	}
	text += fmt.Sprintf("\n%d %s\n%s", answer.Code, http.StatusText(answer.Code), headers(answer.Header()))
	if got := answer.Body.String(); answer.Code == http.StatusOK && got != "" {
		text += "\n" + got
	}
	l.mu.Lock()
	l.text = append(l.text, text)
	l.mu.Unlock()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// messageLog has the messages that pass a broker.
type messageLog struct {
	passing chan *nats.Msg
	passed  []*nats.Msg
}

func tapMessages(t *testing.T, broker *jetstreamtest.Server) *messageLog {
	t.Helper()
	l := &messageLog{passing: make(chan *nats.Msg, 1000)}
	nc, err := nats.Connect("nats://" + broker.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.ChanSubscribe(">", l.passing); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return l
}

// one waits for the first message that matches.
func (l *messageLog) one(t *testing.T, match func(*nats.Msg) bool) *nats.Msg {
	t.Helper()
	if i := slices.IndexFunc(l.passed, match); i >= 0 {
		return l.passed[i]
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case m := <-l.passing:
			l.passed = append(l.passed, m)
			if match(m) {
				return m
			}
		case <-timeout.C:
			t.Fatal("a message did not come")
		}
	}
}

func (l *messageLog) answer(t *testing.T, to *nats.Msg) *nats.Msg {
	t.Helper()
	return l.one(t, func(m *nats.Msg) bool { return m.Subject == to.Reply })
}

// about returns the event of a key, as the store sent it and as the worker received it.
func (l *messageLog) about(t *testing.T, key string) (event, delivery *nats.Msg) {
	t.Helper()
	of := func(m *nats.Msg) bool {
		return m.Subject == "s3.events" && strings.Contains(string(m.Data), fmt.Sprintf(`"key":%q`, key))
	}
	event = l.one(t, func(m *nats.Msg) bool { return of(m) && m.Reply == "" })
	return event, l.one(t, func(m *nats.Msg) bool { return of(m) && m.Reply != "" })
}

func messageText(m *nats.Msg) string {
	text := m.Subject + "\n"
	if m.Reply != "" {
		text += "reply to: " + m.Reply + "\n"
	}
	names := make([]string, 0, len(m.Header))
	for name := range m.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text += name + ": " + m.Header.Get(name) + "\n"
	}
	var body bytes.Buffer
	if json.Indent(&body, m.Data, "", "  ") != nil {
		body.Reset()
		body.Write(m.Data)
	}
	if body.Len() > 0 {
		text += body.String() + "\n"
	}
	return text
}

// traceOf returns the trace whose spans are about a key. The caller holds c.mu.
func (c *collector) traceOf(t *testing.T, key string) string {
	t.Helper()
	for _, s := range c.spans {
		for _, a := range s.Attributes {
			if a.Key == "bucketsum.key" && a.Value.GetStringValue() == key {
				return hex.EncodeToString(s.TraceId)
			}
		}
	}
	t.Fatalf("no span is about %s", key)
	return ""
}

// below returns the spans of a trace below a parent in the order of their starts.
func (c *collector) below(trace, parent string) []*spans.Span {
	var found []*spans.Span
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace && hex.EncodeToString(s.ParentSpanId) == parent {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *spans.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	return found
}

// draw returns the spans below a parent, with their attributes.
func (c *collector) draw(trace, parent, indent string) string {
	var text string
	for _, s := range c.below(trace, parent) {
		text += indent + s.Name + "\n"
		for _, a := range s.Attributes {
			value := a.Value.GetStringValue()
			if value == "" {
				value = fmt.Sprint(a.Value.GetIntValue())
			}
			if a.Key != "bucketsum.version_id" { // the bucket has no versions
				text += indent + "    " + a.Key + " = " + value + "\n"
			}
		}
		text += c.draw(trace, hex.EncodeToString(s.SpanId), indent+"  ")
	}
	return text
}

// nameIDs returns pairs of an id of a trace or one of its spans and a name for it.
func (c *collector) nameIDs(trace string) []string {
	pairs := []string{trace, "TRACE"}
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace {
			pairs = append(pairs, hex.EncodeToString(s.SpanId), "SPAN-"+s.Name)
		}
	}
	return pairs
}

// changing are the parts of a trace that differ from run to run.
var changing = []struct {
	part *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "TIME"},
	{regexp.MustCompile(`(duration(_seconds)?"?[=:] ?)[\d.]+(µs|ms|s)?`), "${1}DURATION"},
	{regexp.MustCompile(`_INBOX\.[\w.]+`), "_INBOX.ID"},
	{regexp.MustCompile(`(\$JS\.ACK\.[\w.]+\.)\d{19}\.\d+`), "${1}TIME.PENDING"},
	{regexp.MustCompile(`("id": "|watermill_message_uuid: )[0-9a-f]{32}`), "${1}ID"},
	{regexp.MustCompile(`(trace_id|span_id)=[0-9a-f]{16,}`), "$1=ID"}, // of another trace
}

var traceBlock = regexp.MustCompile("(?ms)^```text (.+?)\n.*?^```$")

// checkTrace holds docs/trace.md to the blocks, or with -update writes them there.
func checkTrace(t *testing.T, blocks map[string]string, ids []string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "trace.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.NewReplacer(ids...)
	seen := make(map[string]bool)
	want := traceBlock.ReplaceAllStringFunc(string(page), func(block string) string {
		name := traceBlock.FindStringSubmatch(block)[1]
		text, ok := blocks[name]
		if !ok {
			t.Errorf("docs/trace.md has a block %q, which no run has", name)
			return block
		}
		seen[name] = true
		text = named.Replace(text)
		for _, c := range changing {
			text = c.part.ReplaceAllString(text, c.name)
		}
		return "```text " + name + "\n" + strings.TrimSpace(text) + "\n```"
	})
	for name := range blocks {
		if !seen[name] {
			t.Errorf("docs/trace.md has no block %q", name)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(string(page), want); diff != "" {
		t.Errorf("docs/trace.md says otherwise; write it with: go test ./cmd/bucketsum -run TestTrace -update (-docs +run):\n%s", diff)
	}
}
