package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Metadata of messages. A dead letter has its original body and metadata, and all of these. A
// redrive removes them.
const (
	// MetadataAttempt is the number of this delivery of the message, from 1. Subscribers set it
	// if their queue counts deliveries, else they remove a value that they find.
	MetadataAttempt = "attempt"
	// MetadataReason is why the message is a dead letter: one line of printable text, at most
	// 1,000 bytes. The name is Watermill's.
	MetadataReason = "reason_poisoned"
)

// maxReason is below 1,024 bytes, which is the smallest limit that a queue has for an attribute
// (Google Pub/Sub).
const maxReason = 1000

// Attempt returns which delivery of the message this is, from 1. It is 1 if the queue does not count.
func Attempt(msg *message.Message) int {
	n, err := strconv.Atoi(msg.Metadata.Get(MetadataAttempt))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// announce announces the events of a message that are given up. A mismatch was announced by its own
// result, and an event that could not be decoded names no object.
func (to DeadLetters) announce(msg *message.Message) error {
	if to.Announce == nil {
		return nil
	}
	d := deliveryOf(msg)
	for _, h := range d.Events {
		switch Classify(h.Err) {
		case ClassNone, ClassSuperseded:
			continue
		}
		if h.Event.Object.Key == "" || errors.Is(h.Err, ErrMismatch) {
			continue
		}
		result := Result{Outcome: Failed, Record: Record{Source: h.Event.Object}, Event: h.Event, Reason: reason(h.Err)}
		if err := d.observer.Publish(msg.Context(), to.Announce, result); err != nil {
			return fmt.Errorf("announce that %s is given up: %w", h.Event.Object, err)
		}
	}
	return nil
}

// poisoned sends a message with a permanent error to the dead-letter topic, and a message with a
// transient error on delivery number maxDeliveries, unless that is 0. The fate of the delivery is
// DeadLettered only if the publisher has the message.
//
// Watermill's poison queue is not used: it writes the topic, a URL that may contain a password, into
// the dead letter, does not limit the reason, and changes the message, which may be redelivered.
func poisoned(to DeadLetters, maxDeliveries int, stopping context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			_, err := next(msg)
			if to.Publisher == nil || msg.Context().Err() != nil {
				return nil, err // Nack on failure: there are no dead letters, or the work was interrupted.
			}
			n := Attempt(msg)
			last := maxDeliveries > 0 && n >= maxDeliveries
			// During a shutdown nothing is retried, so a failure proves nothing.
			if last && stopping.Err() == nil && Classify(err) == ClassTransient {
				err = &exhaustedError{deliveries: n, err: err}
			}
			if Classify(err) != ClassPermanent {
				return nil, err
			}
			// The announcement comes first: sending it twice does less harm than sending the dead
			// letter twice.
			if failed := to.announce(msg); failed != nil {
				return nil, errors.Join(err, failed) // Nack: no receiver knows of the failure yet.
			}
			dead := msg.CopyWithContext()
			dead.Metadata.Set(MetadataReason, reason(err))
			dead.Metadata.Set(MetadataAttempt, strconv.Itoa(n))
			carryTrace(msg.Context(), dead.Metadata)
			failed := deliveryOf(msg).observer.Do(msg.Context(), StepDeadLetter, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, dead)
			})
			if failed != nil {
				return nil, errors.Join(err, fmt.Errorf("dead-letter the message: %w", failed)) // Nack: it would be lost.
			}
			deliveryOf(msg).Fate = DeadLettered
			return nil, err
		}
	}
}

// reason returns the text of err in a form that every queue accepts. Object names in it may contain
// control characters or invalid UTF-8.
func reason(err error) string {
	return readable.Cut(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		default:
			return r
		}
	}, err.Error()), maxReason)
}
