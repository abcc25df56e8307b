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

// Metadata of messages. A dead letter has its original body and metadata, and
// all of these. Who redrives it takes them away.
const (
	// MetadataAttempt is the delivery that a message is, counted from 1.
	// Subscribers set it where their queue counts, and remove what they find
	// under this name where it does not.
	MetadataAttempt = "attempt"
	// MetadataReason is why a dead letter is one: one line of at most 1,000
	// bytes of printable text. The name is Watermill's.
	MetadataReason = "reason_poisoned"
)

// maxReason is below 1,024 bytes, the least that a queue's attribute may hold
// (Google Pub/Sub).
const maxReason = 1000

// Attempt returns which delivery of the message this is, from 1; 1 if the queue
// does not say.
func Attempt(msg *message.Message) int {
	n, err := strconv.Atoi(msg.Metadata.Get(MetadataAttempt))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// announce tells the receiver of results which of a message's events are given
// up. What is a mismatch was announced as such, and what could not be decoded
// names no object.
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

// poisoned sends a message with a permanent error to the dead-letter topic, and
// one with a transient error on its last delivery, if maxDeliveries is not 0. The
// delivery's fate is DeadLettered only if the publisher has the message.
//
// Watermill's own poison queue is not used: it writes the topic, a URL that may
// have a password, into the dead letter, bounds no reason, and changes the
// message itself, which may be delivered again.
func poisoned(to DeadLetters, maxDeliveries int, stopping context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			_, err := next(msg)
			if to.Publisher == nil || msg.Context().Err() != nil {
				return nil, err // nowhere to put it, or interrupted: the queue decides
			}
			n := Attempt(msg)
			last := maxDeliveries > 0 && n >= maxDeliveries
			// While we stop nothing is retried, so that a failure is no proof.
			if last && stopping.Err() == nil && Classify(err) == ClassTransient {
				err = &exhaustedError{deliveries: n, err: err}
			}
			if Classify(err) != ClassPermanent {
				return nil, err
			}
			// First the announcement: a dead letter twice is worse than one twice.
			if failed := to.announce(msg); failed != nil {
				return nil, errors.Join(err, failed)
			}
			dead := msg.CopyWithContext()
			dead.Metadata.Set(MetadataReason, reason(err))
			dead.Metadata.Set(MetadataAttempt, strconv.Itoa(n))
			carryTrace(msg.Context(), dead.Metadata)
			failed := deliveryOf(msg).observer.Do(msg.Context(), StepDeadLetter, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, dead)
			})
			if failed != nil {
				return nil, errors.Join(err, fmt.Errorf("dead-letter the message: %w", failed))
			}
			deliveryOf(msg).Fate = DeadLettered
			return nil, err
		}
	}
}

// reason returns the text of err as every queue takes it: object names in it may
// hold control characters or no UTF-8 at all.
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
