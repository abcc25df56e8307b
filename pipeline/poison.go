package pipeline

import (
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// Metadata of messages. A dead letter has its original body and metadata, and
// all of these.
const (
	// MetadataAttempt is the delivery that a message is, counted from 1.
	// Subscribers set it where their queue counts.
	MetadataAttempt = "attempt"
	// MetadataReason is why a dead letter is one.
	MetadataReason = middleware.ReasonForPoisonedKey
)

// Attempt returns which delivery of the message this is, from 1; 1 if the queue
// does not say.
func Attempt(msg *message.Message) int {
	n, err := strconv.Atoi(msg.Metadata.Get(MetadataAttempt))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// exhaustedError is a transient error that came once too often.
type exhaustedError struct {
	deliveries int
	err        error
}

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("given up after %d deliveries: %v", e.deliveries, e.err)
}
func (e *exhaustedError) Unwrap() error { return e.err }

// poisoned sends a message with a permanent error to the dead-letter topic, and
// one with a transient error on its last delivery, if maxDeliveries is not 0.
// The message is acknowledged only if that succeeded.
func poisoned(to DeadLetters, maxDeliveries int) (message.HandlerMiddleware, error) {
	bound := bounded(maxDeliveries)
	if to.Publisher == nil {
		// Nowhere to put it: the error goes on, the queue's own policy decides.
		return bound, nil
	}
	poison, err := middleware.PoisonQueueWithFilter(to.Publisher, to.Topic, func(err error) bool {
		return Classify(err) == ClassPermanent
	})
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return func(next message.HandlerFunc) message.HandlerFunc {
		next = poison(bound(next))
		return func(msg *message.Message) ([]*message.Message, error) {
			delete(msg.Metadata, MetadataReason) // a redriven dead letter brings its old one
			msg.Metadata.Set(MetadataAttempt, strconv.Itoa(Attempt(msg)))
			return next(msg)
		}
	}, nil
}

// bounded makes a transient error permanent on the last delivery, unless it is
// our own stop that made it fail.
func bounded(maxDeliveries int) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx := msg.Context()
			_, err := next(msg)
			n := Attempt(msg)
			if maxDeliveries > 0 && n >= maxDeliveries && ctx.Err() == nil && Classify(err) == ClassTransient {
				err = &exhaustedError{deliveries: n, err: err}
			}
			return nil, err
		}
	}
}
