package gcppubsub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/bucketsum/bucketsum/adapters/gcppubsub"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/queue/queuetest"
)

// leaks is a goroutine of OpenCensus, which Google's clients start and never end.
var leaks = goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start")

// serverLeak is a goroutine that the stand-in has for each subscription.
var serverLeak = goleak.IgnoreTopFunction("cloud.google.com/go/pubsub/v2/pstest.(*subscription).start.func1")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leaks) }

// newServer starts Google's stand-in for Pub/Sub on loopback.
func newServer(t *testing.T, options ...pstest.ServerReactorOption) *pstest.Server {
	t.Helper()
	s := pstest.NewServer(options...)
	t.Cleanup(func() { s.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", s.Addr)
	return s
}

func queueURL(topic, subscription string) string {
	return fmt.Sprintf("gcppubsub://projects/p/subscriptions/%s?topic=%s&create=true", subscription, topic)
}

var topics atomic.Int64

func newTopic() string {
	name := fmt.Sprint("topic-", topics.Add(1))
	return queueURL(name, name)
}

func harness(*testing.T) pipelinetest.Queue {
	return pipelinetest.Queue{
		NewTopic: newTopic,
		Open: func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber) {
			return queuetest.Open(t, gcppubsub.Driver{}, queue.Config{Concurrency: concurrency, NackDelay: queuetest.Immediately, ReopenDelay: queuetest.Immediately})
		},
		Persistent: true,
		Redelivers: true,
		Leaks:      []goleak.Option{leaks, serverLeak},
	}
}

// TestConformance runs our suite for queue adapters.
func TestConformance(t *testing.T) {
	newServer(t)
	pipelinetest.TestQueue(t, harness)
}

// TestDurable runs our suite for failing servers. The stand-in cannot be restarted: it
// stores nothing.
func TestDurable(t *testing.T) {
	newServer(t)
	pipelinetest.TestDurable(t, harness, nil)
}

// TestWatermillSuite runs the conformance suite that Watermill has for every
// publisher and subscriber.
func TestWatermillSuite(t *testing.T) {
	newServer(t)
	open := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		c := queue.Config{Concurrency: 100, NackDelay: queuetest.Immediately, CloseTimeout: time.Second}
		return queuetest.OpenNamed(t, gcppubsub.Driver{}, c, func(topic string) string { return queueURL(topic, "s"+topic+"-"+group) })
	}
	features := tests.Features{
		Persistent: true, ConsumerGroups: true, ForceShort: true,
		GenerateTopicFunc: func(c tests.TestContext) string { return "t" + string(c.TestID) },
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return open(t, "workers") }, open)
}

// beats gets the seconds of each call that changes a deadline.
type beats chan int32

func (b beats) React(request any) (bool, any, error) {
	select {
	case b <- request.(*pubsubpb.ModifyAckDeadlineRequest).AckDeadlineSeconds:
	default:
	}
	return false, nil, nil
}

// TestDeadlineIsExtended: heartbeats extend the deadline of a message in work by the
// subscription's own deadline, and a nack sets its delay.
func TestDeadlineIsExtended(t *testing.T) {
	pstest.SetMinAckDeadline(time.Second)
	defer pstest.ResetMinAckDeadline()
	heard := make(beats, 100)
	s := newServer(t, pstest.ServerReactorOption{FuncName: "ModifyAckDeadline", Reactor: heard})
	const topic, subscription = "projects/p/topics/t", "projects/p/subscriptions/s"
	if _, err := s.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GServer.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic, AckDeadlineSeconds: 2}); err != nil {
		t.Fatal(err)
	}
	pub, sub := queuetest.Open(t, gcppubsub.Driver{}, queue.Config{Concurrency: 2, NackDelay: func(int) time.Duration { return time.Hour }})
	defer pub.Close()
	messages, err := sub.Subscribe(t.Context(), "gcppubsub://"+subscription)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish("gcppubsub://"+topic, message.NewMessage("x", nil)); err != nil {
		t.Fatal(err)
	}
	m := <-messages
	for range 6 { // together longer than the deadline
		if seconds := <-heard; seconds != 2 {
			t.Errorf("extended by %d s, want 2", seconds)
		}
	}
	select {
	case again := <-messages:
		t.Errorf("%s was delivered again", again.UUID)
	default:
	}
	if err := m.Context().Err(); err != nil {
		t.Errorf("the lease ended: %v", context.Cause(m.Context()))
	}
	m.Nack()
	for seconds := range heard {
		if seconds == 600 { // the longest deadline
			break
		}
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
}

// refusals is the number of nacks that the server refuses before it accepts one.
type refusals struct{ atomic.Int64 }

func (r *refusals) React(request any) (bool, any, error) {
	if request.(*pubsubpb.ModifyAckDeadlineRequest).AckDeadlineSeconds == 0 && r.Add(-1) >= 0 {
		return true, nil, status.Error(codes.PermissionDenied, "not yet")
	}
	return false, nil, nil
}

// TestNackIsCountedOnce: a nack that is repeated counts as one attempt.
func TestNackIsCountedOnce(t *testing.T) {
	var refused refusals
	newServer(t, pstest.ServerReactorOption{FuncName: "ModifyAckDeadline", Reactor: &refused})
	pub, sub := queuetest.Open(t, gcppubsub.Driver{}, queue.Config{Concurrency: 1, NackDelay: queuetest.Immediately})
	defer pub.Close()
	url := newTopic()
	messages, err := sub.Subscribe(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(url, message.NewMessage("fails", nil)); err != nil {
		t.Fatal(err)
	}
	for want := 1; want <= 3; want++ {
		m := <-messages
		if got := pipeline.Attempt(m); got != want {
			t.Errorf("the attempt is %d, want %d", got, want)
		}
		if want == 3 {
			m.Ack()
			break
		}
		refused.Store(2)
		m.Nack()
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	if left := refused.Load(); left >= 0 {
		t.Errorf("%d nacks were not refused", left+1)
	}
}

// TestURLErrors opens what cannot be opened.
func TestURLErrors(t *testing.T) {
	newServer(t)
	pub, sub := queuetest.Open(t, gcppubsub.Driver{}, queue.Config{})
	for url, want := range map[string]string{
		"gcppubsub://projects/p/subscriptions/absent":             "no subscription projects/p/subscriptions/absent: make it",
		"gcppubsub://projects/p/subscriptions/s?create=true":      "create needs topic=NAME, the topic that the new subscription is for",
		"gcppubsub://projects/p/subscriptions/s?max_recv_batch=1": `unknown parameter "max_recv_batch"; valid are create, topic`,
		"gcppubsub://projects/p/topics/t":                         "are received from a subscription",
		"gcppubsub://p/t":                                         "it must have the form",
	} {
		if err := sub.SubscribeInitialize(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	for url, want := range map[string]string{
		"gcppubsub://projects/p/topics/absent":   "no topic projects/p/topics/absent: make it",
		"gcppubsub://projects/p/subscriptions/s": "are sent to a topic",
	} {
		if err := pub.Publish(url, message.NewMessage("1", nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
	if err := errors.Join(sub.Close(), pub.Close()); err != nil {
		t.Error(err)
	}
}
