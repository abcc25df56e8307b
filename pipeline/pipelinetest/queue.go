package pipelinetest

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"
)

// Queue is the harness of one test: a backend, and the adapter that is tested on it. The
// test closes what it opened. The harness ends the rest with t.Cleanup.
type Queue struct {
	// NewTopic returns the name of an unused topic.
	NewTopic func() string
	// Open returns a publisher and a subscriber of the adapter. All those of one
	// harness use one backend. concurrency is how many messages of the topic the
	// subscriber may have in flight. It redelivers a nacked message and reopens a dead
	// subscription without a wait, and its Close waits for messages in flight for
	// longer than a test takes.
	Open func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber)

	// Persistent: another subscriber gets the messages that a closed one left, and
	// the subscribers of one topic compete for its messages. When a subscriber is
	// closed, the leases of its unsettled messages end.
	Persistent bool
	// Exclusive: a topic, or each part of it, belongs to one subscriber at a time. No
	// other subscriber gets its messages while that one is open.
	Exclusive bool
	// Redelivers: a nacked message is delivered again.
	Redelivers bool
	// Ordered: a subscriber with a concurrency of 1 gets messages in the order of
	// publishing.
	Ordered bool

	// Kill makes every open subscription to the topic fail without end. Acks of their
	// messages still work. nil: the backend cannot do this.
	Kill func(topic string)
	// Leased returns the backend's number of messages of the topic that are delivered
	// and not settled. nil: the backend has no such number.
	Leased func(topic string) int
	// Prefetch is how many messages a subscriber may hold beyond those in flight.
	Prefetch int
	// Leaks are the goroutines that are known to outlive a subscriber.
	Leaks []goleak.Option
}

// TestQueue runs the conformance suite of queue adapters. Its parts run in parallel, each
// on a harness of its own. The caller's test must not run in parallel with others, as the
// suite looks for leaked goroutines.
func TestQueue(t *testing.T, newQueue func(t *testing.T) Queue) {
	before := goleak.IgnoreCurrent()
	var leaks []goleak.Option
	t.Run("group", func(t *testing.T) {
		leaks = newQueue(t).Leaks
		for _, test := range []struct {
			name string
			run  func(*queueTest)
		}{
			{"RoundTrip", testRoundTrip},
			{"Order", testOrder},
			{"Attempts", testAttempts},
			{"SettlesOnce", testSettlesOnce},
			{"ContextOutlivesSubscribe", testContextOutlivesSubscribe},
			{"ContextEndsWhenSettled", testContextEndsWhenSettled},
			{"Bound", testBound},
			{"SlotBeforeReceive", testSlotBeforeReceive},
			{"Load", testLoad},
			{"Drain", testDrain},
			{"DrainUnseen", testDrainUnseen},
			{"DrainGivesBack", testDrainGivesBack},
			{"CloseInTheMiddle", testCloseInTheMiddle},
			{"Closed", testClosed},
			{"Reopen", testReopen},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				test.run(&queueTest{T: t, Queue: newQueue(t)})
			})
		}
	})
	if err := goleak.Find(append(leaks, before)...); err != nil {
		t.Errorf("goroutines leaked: %v", err)
	}
}
