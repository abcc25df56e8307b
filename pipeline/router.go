package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrDrainTimeout is the cancellation cause of work that was not done at the end of the drain timeout.
var ErrDrainTimeout = errors.New("stopped at the end of the drain timeout")

// settleTime is how long Run waits for handlers after it cancelled them.
const settleTime = 5 * time.Second

// DeadLetters is where messages go that cannot be handled.
type DeadLetters struct {
	Publisher message.Publisher // nil: such messages go back to the queue
	Topic     string
	// Announce announces every event that is given up, before the message goes to Topic. If it
	// fails, the message goes back to the queue.
	Announce Publisher
}

// Config describes a pipeline. Fields that are not needed may be zero.
type Config struct {
	// Subscriber delivers the messages; needed. Its Close stops the intake at once, waits until
	// every delivered message is acked or nacked, then closes the channel. The context of
	// Subscribe lives until Run returns, so the contexts of messages may derive from it.
	Subscriber message.Subscriber
	Topic      string  // the queue; needed
	Decode     Decoder // needed
	Handle     Handler // needed

	DeadLetters   DeadLetters
	Continuations Continuations
	// MaxDeliveries is the number of deliveries that are worked on. The last one dead-letters the
	// message if its error is transient; a delivery beyond it dead-letters the message without work.
	// 0, or no DeadLetters: the policy of the queue decides.
	MaxDeliveries int
	// QueueLimit is the number of deliveries after which the queue itself gives up a message, without a
	// reason. It makes MaxDeliveries less than itself, so that the reason is known. 0: none, or unknown.
	QueueLimit int
	Retry      Retry
	// DrainTimeout is how long messages in flight may take after the end of the context. Default
	// 30 s.
	DrainTimeout time.Duration
	Observer     Observer
	Log          *slog.Logger // default: discarded
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("pipeline: "+what))
		}
	}
	need(c.Subscriber != nil, "no Subscriber")
	need(c.Topic != "", "no Topic")
	need(c.Decode != nil, "no Decode")
	need(c.Handle != nil, "no Handle")
	need(c.MaxDeliveries >= 0, "MaxDeliveries is negative")
	need(c.QueueLimit >= 0, "QueueLimit is negative")
	need(c.Retry.Initial >= 0, "Retry.Initial is negative")
	need(c.Retry.Longest >= 0, "Retry.Longest is negative")
	need(c.DrainTimeout >= 0, "DrainTimeout is negative")
	need(c.DeadLetters.Publisher == nil || c.DeadLetters.Topic != "", "dead letters have a Publisher but no Topic")
	need(c.Continuations.Publisher == nil || c.Continuations.Topic != "", "continuations have a Publisher but no Topic")
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	c.Retry = c.Retry.withDefaults()
	c.Observer = Observers(c.Observer)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	if last := c.QueueLimit - 1; last > 0 {
		c.MaxDeliveries = min(cmp.Or(c.MaxDeliveries, last), last)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Run handles messages until ctx ends, then drains. The intake stops at once. Messages in flight have
// the drain timeout to finish; after it they are cancelled with the cause ErrDrainTimeout and go
// back to the queue. Run returns nil if all messages in flight were finished, else an error
// that wraps ErrDrainTimeout and says how many were not. Run waits a few seconds more for
// handlers that ignore the cancellation, then returns without them. It closes the Subscriber.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	messages, stopIntake, err := subscribe(ctx, c)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // It was stopped before it began: nothing was in flight.
		}
		return errors.Join(err, c.Subscriber.Close())
	}
	defer stopIntake()

	// Watermill does not log: observed writes one line for each delivery.
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: c.DrainTimeout + settleTime}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	work, stopWork := context.WithCancelCause(context.Background())
	defer stopWork(nil)
	var f inFlight
	router.AddMiddleware(
		f.counted(work),
		observed(c.Log, &c.Observer, c.QueueLimit),
		poisoned(c.DeadLetters, c.MaxDeliveries, ctx),
		continued(c.Continuations),
		decoded(c.Decode),
		limited(c.DeadLetters, c.MaxDeliveries),
		retried(c.Retry, ctx),
	)
	router.AddConsumerHandler("objects", "objects", intake(messages),
		each(deduped(new(dedupe), recovered(c.Handle))))

	// The router ends when the channel is closed. It is not stopped in any other way, because it
	// would then drop the messages in flight after a timeout of its own.
	var broken error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		broken = router.Run(context.Background())
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	var lost error
	if ctx.Err() != nil {
		c.Log.Info("draining", "in_flight", f.now.Load(), "timeout", c.DrainTimeout)
	} else if lost = broken; lost == nil {
		lost = errors.New("the subscription ended by itself")
	}
	return errors.Join(lost, drain(c, &f, stopWork, ended))
}

// subscribe opens the subscription. The end of ctx interrupts the opening, but not an open
// subscription: stopIntake ends that.
func subscribe(ctx context.Context, c Config) (messages <-chan *message.Message, stopIntake func(), err error) {
	open, stopIntake := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, stopIntake)()
	messages, err = c.Subscriber.Subscribe(open, c.Topic)
	if err != nil {
		stopIntake()
		return nil, nil, fmt.Errorf("subscribe: %w", err)
	}
	return messages, stopIntake, nil
}

// intake is an open subscription for the router. Its Close does nothing, because the router would
// call it while messages are in flight and not wait for it; Run closes the subscriber.
type intake <-chan *message.Message

func (i intake) Subscribe(context.Context, string) (<-chan *message.Message, error) { return i, nil }
func (intake) Close() error                                                         { return nil }

// drain closes the subscriber and waits until no message is in flight, at most for the drain timeout
// and the settle time.
func drain(c Config, f *inFlight, stopWork context.CancelCauseFunc, ended <-chan struct{}) error {
	var closeErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		closeErr = c.Subscriber.Close()
		<-ended
	}()
	cancel := time.AfterFunc(c.DrainTimeout, func() { stopWork(ErrDrainTimeout) })
	defer cancel.Stop()
	giveUp := time.NewTimer(c.DrainTimeout + settleTime)
	defer giveUp.Stop()

	var faults []error
	select {
	case <-done:
		if closeErr != nil {
			faults = append(faults, fmt.Errorf("close the subscription: %w", closeErr))
		}
	case <-giveUp.C:
		faults = append(faults, fmt.Errorf("the subscription does not close: %w", ErrDrainTimeout))
	}
	if n := f.cut.Load(); n > 0 {
		faults = append(faults, fmt.Errorf("%d message(s) were not finished and went back to the queue: %w", n, ErrDrainTimeout))
	}
	if n := f.now.Load(); n > 0 {
		faults = append(faults, fmt.Errorf("%d message(s) are still in work and left to the queue: %w", n, ErrDrainTimeout))
	}
	return errors.Join(faults...)
}

// inFlight counts deliveries.
type inFlight struct {
	now atomic.Int64 // in work
	cut atomic.Int64 // not finished when the work was stopped
}

// counted counts deliveries and ends their contexts when work ends. A context derives from that of the
// subscriber, with its values and the end of its lease.
func (f *inFlight) counted(work context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			f.now.Add(1)
			defer f.now.Add(-1)
			ctx, cancel := context.WithCancelCause(msg.Context())
			defer cancel(nil)
			defer context.AfterFunc(work, func() { cancel(context.Cause(work)) })()
			msg.SetContext(ctx)
			out, err := next(msg)
			if err != nil && work.Err() != nil {
				f.cut.Add(1)
			}
			return out, err
		}
	}
}
