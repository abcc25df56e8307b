package pipelinetest

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"
)

// Queue is the harness of one test: a backend and the adapter that is tested on
// it. The test closes what it opened; what the harness itself holds it ends with
// t.Cleanup.
type Queue struct {
	// NewTopic returns the name of a topic that nobody used before.
	NewTopic func() string
	// Open returns a publisher and a subscriber of the adapter. All that are
	// opened through one harness talk to one backend. concurrency is how many
	// messages of the topic the subscriber may have in flight. A nacked message
	// comes again without a wait, a dead subscription is opened anew without one,
	// and Close waits for messages in flight for longer than a test takes.
	Open func(t *testing.T, concurrency int) (message.Publisher, message.Subscriber)

	// Persistent: what a closed subscriber left, another gets; and the
	// subscribers of one topic compete for its messages. The lease of what is not
	// settled when a subscriber is closed ends with it.
	Persistent bool
	// Exclusive: a topic, or each part of it, is one subscriber's at a time, whose
	// messages nobody else gets as long as it is open.
	Exclusive bool
	// Redelivers: a nacked message is delivered again.
	Redelivers bool
	// Ordered: a subscriber with a concurrency of 1 gets messages in the order in
	// which they were published.
	Ordered bool

	// Kill makes every subscription fail that is open to the topic, for ever, and
	// lets its acks through. nil: the backend cannot.
	Kill func(topic string)
	// Leased returns how many messages of the topic are handed out and not
	// settled, as the backend counts. nil: the backend does not tell.
	Leased func(topic string) int
	// Prefetch is how many messages a subscriber may hold beyond those in flight.
	Prefetch int
	// Leaks are the goroutines that are known to outlive a subscriber.
	Leaks []goleak.Option
}

// TestQueue runs the conformance suite of queue adapters. Its parts run at the
// same time, each on a harness of its own; the caller's test must not run in
// parallel with others, as goroutines are counted.
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
		t.Errorf("goroutines are left: %v", err)
	}
}
