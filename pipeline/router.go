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
}

// Config is what a pipeline is made of. The zero value of what is not marked
// as needed is the default.
type Config struct {
	// Subscriber delivers the messages; needed. Its Close stops the intake at
	// once, waits until every delivered message is acked or nacked, then closes
	// the channel. Its messages' contexts do not end when that of Subscribe does.
	Subscriber message.Subscriber
	Topic      string  // what is subscribed to; needed
	Decode     Decoder // needed
	Handle     Handler // needed

	DeadLetters DeadLetters
	// MaxDeliveries is how often a message with transient errors is delivered
	// before it is dead-lettered. 0: the queue's own policy decides.
	MaxDeliveries int
	Retry         Retry
	// DrainTimeout is how long work in flight may go on after the end of the
	// context. Default 30 s.
	DrainTimeout time.Duration
	Observe      Observer
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
	need(c.DrainTimeout >= 0, "DrainTimeout is negative")
	need(c.DeadLetters.Publisher == nil || c.DeadLetters.Topic != "", "dead letters have a Publisher but no Topic")
	return errors.Join(faults...)
}

// Run handles messages until ctx ends, then drains: intake stops at once, what
// is in flight gets the drain timeout, what is not finished by then is
// cancelled and goes back to the queue. It returns nil if everything in flight
// was finished, else an error that says how much was not.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	poison, err := poisoned(c.DeadLetters, c.MaxDeliveries)
	if err != nil {
		return err
	}
	work, stopWork := context.WithCancelCause(context.Background())
	defer stopWork(nil)
	var inFlight inFlight

	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: settleTime}, routerLog(c.Log))
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	router.AddConsumerHandler("objects", c.Topic, c.Subscriber, func(msg *message.Message) error {
		_, err := each(recovered(c.Handle))(msg)
		return err
	})
	router.AddMiddleware(
		inFlight.counted(work),
		observed(c.Log, c.Observe),
		poison,
		decoded(c.Decode),
		deduped(newClaims()),
		retried(c.Retry.withDefaults(), ctx),
	)

	// Watermill cancels what is in flight as soon as the context that Run has
	// ends or Close is called, and may then never close the subscriber. So it
	// sees neither: the subscriber is closed here, and when its channel ends
	// the router does.
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.WithoutCancel(ctx)) }()

	select {
	case err := <-ended:
		if err == nil {
			err = errors.New("the subscription ended by itself")
		}
		return fmt.Errorf("subscribe to %s: %w", c.Topic, err)
	case <-ctx.Done():
	}
	return drain(c, &inFlight, stopWork, ended)
}

func drain(c Config, f *inFlight, stopWork context.CancelCauseFunc, ended <-chan error) error {
	c.Log.Info("draining", "in_flight", f.now.Load(), "timeout", c.DrainTimeout)
	closed := make(chan error, 1)
	go func() { closed <- c.Subscriber.Close() }()

	cancel := time.AfterFunc(c.DrainTimeout, func() { stopWork(ErrDrainTimeout) })
	defer cancel.Stop()
	giveUp := time.NewTimer(c.DrainTimeout + settleTime)
	defer giveUp.Stop()
	select {
	case <-ended:
	case <-giveUp.C:
		return fmt.Errorf("%d messages are still in work %s after the drain timeout of %s; the queue delivers them again",
			f.now.Load(), settleTime, c.DrainTimeout)
	}
	if err := <-closed; err != nil {
		return fmt.Errorf("close the subscription: %w", err)
	}
	if n := f.cut.Load(); n > 0 {
		return fmt.Errorf("%d messages were not finished within the drain timeout of %s and went back to the queue", n, c.DrainTimeout)
	}
	return nil
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

// routerLog keeps Watermill's own lines at debug level: what became of a
// message is logged by observed, once.
func routerLog(log *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{
		watermill.LevelTrace: slog.LevelDebug - 4,
		slog.LevelDebug:      slog.LevelDebug - 4,
		slog.LevelInfo:       slog.LevelDebug,
		slog.LevelWarn:       slog.LevelDebug,
		slog.LevelError:      slog.LevelDebug,
	})
}
