package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// roundTrip publishes a message and receives it.
func roundTrip(b *bench, url string, sent *message.Message) *message.Message {
	b.t.Helper()
	p := queue.NewPublisher(b.driver())
	if err := p.Publish(url, sent); err != nil {
		b.t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		b.t.Error(err)
	}
	w := b.worker(url, queue.Config{})
	m := w.next()
	m.Ack()
	w.close()
	return m
}

func TestMetadataTravels(t *testing.T) {
	many := message.Metadata{pipeline.MetadataReason: "out of luck"}
	for i := range 20 {
		many.Set(fmt.Sprintf("key%02d", i), strings.Repeat("v", i+1))
	}
	for name, metadata := range map[string]message.Metadata{
		"none":       {},
		"few":        {"a": "1", "b.c-d_e": "ä"},
		"nine":       {"1": "x", "2": "x", "3": "x", "4": "x", "5": "x", "6": "x", "7": "x", "8": "x", "9": "x"},
		"ten":        {"1": "x", "2": "x", "3": "x", "4": "x", "5": "x", "6": "x", "7": "x", "8": "x", "9": "x", "10": "x"},
		"many":       many,
		"odd names":  {"a b": "1", "": "2", "..": "3", "AWS.x": "4", "äöü": "5", strings.Repeat("n", 300): "6"},
		"odd values": {"empty": "", "control": "a\x00b\x1b[0m", "newline": "a\nb", "last": "\uFFFF\uFFFE"},
		"escapes":    {"percent": "100%25 a%2Fb", "n__0x2f__": "1", "n / __0x2f__": "__0x2f__"},
		"own name":   {"bucketsum.metadata": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				sent := message.NewMessage("id-1", []byte("body"))
				sent.Metadata = metadata
				m := roundTrip(b, url, sent)
				got := message.Metadata{}
				for k, v := range m.Metadata {
					switch k {
					case pipeline.MetadataAttempt, sqs.MetadataGroup:
					default:
						got[k] = v
					}
				}
				if diff := cmp.Diff(metadata, got); diff != "" {
					b.t.Errorf("metadata (-sent +received):\n%s", diff)
				}
				if string(m.Payload) != "body" {
					b.t.Errorf("body is %q", m.Payload)
				}
			})
		})
	}
}

func TestReasonStaysAnAttribute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "dead", nil)
		m := message.NewMessage("id", []byte("body"))
		for i := range 30 {
			m.Metadata.Set(fmt.Sprint("a", i), "x")
		}
		m.Metadata.Set(pipeline.MetadataReason, "bad \xff\x1b[31m name")
		m.Metadata.Set(pipeline.MetadataAttempt, "3")
		if err := queue.NewPublisher(b.driver()).Publish(url, m); err != nil {
			t.Fatal(err)
		}
		got := b.receive(url, 30).MessageAttributes
		if len(got) != 10 || *got[pipeline.MetadataAttempt].StringValue != "3" {
			t.Errorf("attributes are %v", got)
		}
		if _, plain := got[pipeline.MetadataReason]; plain {
			t.Error("a reason that SQS refuses is an attribute")
		}
	})
}

func TestBodyThatIsNoText(t *testing.T) {
	for name, body := range map[string]string{"binary": "\x00\xff binary", "empty": ""} {
		t.Run(name, func(t *testing.T) {
			both(t, func(b *bench, url string) {
				m := roundTrip(b, url, message.NewMessage("id", []byte(body)))
				if string(m.Payload) != body || m.UUID != "id" {
					b.t.Errorf("body is %q, UUID %q", m.Payload, m.UUID)
				}
			})
		})
	}
}

func TestPublishToFIFO(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeOrdered, "dead.fifo", nil)
		p := queue.NewPublisher(b.driver())
		publish := func(metadata message.Metadata) {
			t.Helper()
			m := message.NewMessage("same", []byte("body"))
			m.Metadata = metadata
			if err := p.Publish(url, m); err != nil {
				t.Fatal(err)
			}
		}
		// A dead letter that fails a second time within minutes is another message.
		publish(nil)
		publish(nil)
		publish(message.Metadata{sqs.MetadataGroup: "g", sqs.MetadataDeduplication: "d"})
		publish(message.Metadata{sqs.MetadataGroup: "g", sqs.MetadataDeduplication: "d"})
		// A repetition by the SDK is the same message.
		b.server.Inject(sqstest.Fault{Action: "SendMessage", Times: 2})
		publish(nil)
		if got := b.counts(url); got != "4 visible, 0 in flight" {
			t.Errorf("sent: %s", got)
		}
		first := b.receive(url, 30)
		other := b.receive(url, 30)
		if first.Attributes["MessageGroupId"] != "bucketsum" || other.Attributes["MessageGroupId"] != "g" {
			t.Errorf("groups are %q and %q", first.Attributes["MessageGroupId"], other.Attributes["MessageGroupId"])
		}
		if len(other.MessageAttributes) != 1 {
			t.Errorf("attributes are %v, want the UUID only", other.MessageAttributes)
		}
	})
}

func TestPublishFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "results", nil)
		missing := strings.Replace(url, "results", "none", 1)
		p := queue.NewPublisher(b.driver())
		m := message.NewMessage("id", []byte("body"))

		if err := p.Open(t.Context(), url); err != nil {
			t.Error(err)
		}
		if err := p.Open(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "does not exist in region us-east-1") {
			t.Errorf("open a queue that is not there: %v", err)
		}
		if err := p.Open(t.Context(), "https://x/y/z"); err == nil {
			t.Error("any URL can be opened")
		}
		b.server.Inject(sqstest.Fault{Action: "GetQueueAttributes", Code: "AccessDeniedException", Status: 400, Times: 1})
		if err := p.Open(t.Context(), url); err != nil {
			t.Errorf("open with the right to send only: %v", err)
		}
		if err := p.Publish(missing, m); err == nil {
			t.Error("publish to a queue that is not there: no error")
		}
		if n := b.server.Calls("CreateQueue"); n != 2 { // create's own
			t.Errorf("%d queues were created", n)
		}
		if err := p.Publish("nonsense", m); err == nil {
			t.Error("publish to nonsense: no error")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(pipeline.ErrLeaseLost)
		late := message.NewMessage("id", []byte("body"))
		late.SetContext(ctx)
		if err := p.Publish(url, late); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("publish a message whose context has ended: %v", err)
		}
		b.server.Inject(sqstest.Fault{Action: "SendMessage", For: time.Hour})
		start := time.Now()
		if err := p.Publish(url, m); err == nil || time.Since(start) > 31*time.Second {
			t.Errorf("publish in an outage: %v after %s", err, time.Since(start))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Publish(url, m); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("publish after close: %v", err)
		}
	})
}

// TestTenants shows that the messages of a tenant have its group on a fair queue, and that none of them waits for
// another on a FIFO queue. Metadata of others that is no group never keeps a message from being sent.
func TestTenants(t *testing.T) {
	both(t, func(b *bench, url string) {
		groups := make(map[string]string)
		for body, tenant := range map[string]string{"first": "pass-1", "second": "pass-1", "none": "", "foreign": "ACME Ltd.\n"} {
			sent := message.NewMessage(body, []byte(body))
			if tenant != "" {
				sent.Metadata.Set(pipeline.MetadataTenant, tenant)
			}
			m := roundTrip(b, url, sent)
			groups[body] = m.Metadata.Get(sqs.MetadataGroup)
			if got := m.Metadata.Get(pipeline.MetadataTenant); got != tenant {
				t.Errorf("%s: tenant is %q, want %q", body, got, tenant)
			}
		}
		if strings.HasSuffix(url, ".fifo") {
			if groups["first"] == groups["second"] || groups["first"] == "" || groups["none"] != "bucketsum" || groups["foreign"] != "bucketsum" {
				t.Errorf("groups are %v", groups)
			}
			return
		}
		want := map[string]string{"first": "pass-1", "second": "pass-1", "none": "", "foreign": ""}
		if diff := cmp.Diff(want, groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
}
