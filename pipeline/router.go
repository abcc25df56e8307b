package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrDrainTimeout is the cancellation cause of work that was still going on at
// the end of the drain timeout.
var ErrDrainTimeout = errors.New("stopped at the end of the drain timeout")

// settleTime is what handlers get to return after they were cancelled, before
// Run leaves them behind.
const settleTime = 5 * time.Second

// DeadLetters is where messages go that cannot be handled.
type DeadLetters struct {
	Publisher message.Publisher // nil: such a message goes back to the queue
	Topic     string
	// Announce is told of every object whose event is given up, before the message
	// goes to Topic. If it fails, the message goes back to the queue. nil: nobody.
	Announce Publisher
}

// Config is what a pipeline is made of. The zero value of what is not marked
// as needed is the default.
type Config struct {
	// Subscriber delivers the messages; needed. Its Close stops the intake at
	// once, waits until every delivered message is acked or nacked, then closes
	// the channel. The context of Subscribe lives until Run returns, so that
	// messages' contexts may end with it.
	Subscriber message.Subscriber
	Topic      string  // what is subscribed to; needed
	Decode     Decoder // needed
	Handle     Handler // needed

	DeadLetters   DeadLetters
	Continuations Continuations
	// MaxDeliveries is how often a message with transient errors is delivered
	// before it is dead-lettered. 0, or no DeadLetters: the queue's own policy
	// decides.
	MaxDeliveries int
	Retry         Retry
	// DrainTimeout is how long work in flight may go on after the end of the
	// context. Default 30 s.
	DrainTimeout time.Duration
	Observer     Observer
	Log          *slog.Logger // default: discarded
}

// Validate returns everything that is wrong with the configuration.
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
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Run handles messages until ctx ends, then drains: intake stops at once, what
// is in flight gets the drain timeout, what is not finished by then is
// cancelled with ErrDrainTimeout as its cause and goes back to the queue. It
// returns nil if everything in flight was finished, else an error that says how
// much was not and wraps ErrDrainTimeout. A handler that ignores its
// cancellation is left behind a few seconds later. Run closes the Subscriber.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	messages, stopIntake, err := subscribe(ctx, c)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // stopped before it began: nothing was in flight
		}
		return errors.Join(err, c.Subscriber.Close())
	}
	defer stopIntake()

	// Nothing that Watermill logs is news: what became of a message is logged
	// by observed, once.
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: c.DrainTimeout + settleTime}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	work, stopWork := context.WithCancelCause(context.Background())
	defer stopWork(nil)
	var f inFlight
	router.AddMiddleware(
		f.counted(work),
		observed(c.Log, &c.Observer),
		poisoned(c.DeadLetters, c.MaxDeliveries, ctx),
		continued(c.Continuations),
		decoded(c.Decode),
		retried(c.Retry, ctx),
	)
	router.AddConsumerHandler("objects", "objects", intake(messages),
		each(deduped(new(dedupe), recovered(c.Handle))))

	// The router ends when the channel does. It is not told to stop in any other
	// way: it would then forget what is in flight after its own timeout.
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

// subscribe opens the subscription. The end of ctx interrupts that, but does not
// reach an open subscription, which stopIntake ends.
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

// intake is an open subscription as the router sees it. Run closes the
// subscriber itself: the router would do so while messages are in flight, and
// does not wait for the end of it.
type intake <-chan *message.Message

func (i intake) Subscribe(context.Context, string) (<-chan *message.Message, error) { return i, nil }
func (intake) Close() error                                                         { return nil }

// drain closes the subscriber and waits until nothing is in flight, but no
// longer than the drain timeout and what cancelled handlers get to return.
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
	cut atomic.Int64 // not finished when work was stopped
}

// counted counts deliveries and ends their contexts when work ends. What the
// subscriber put into the context (values, the end of a lease) stays.
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
