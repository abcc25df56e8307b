package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Metadata of continuations. A redrive may leave it in place.
const (
	// MetadataSlice is the number of slices that the work of the message had so far.
	MetadataSlice = "slice"
	// MetadataProgress is how far the work had come after the last slice: the number of events
	// that are done, a slash, and the sum of the progress of the others.
	MetadataProgress = "slice_progress"
)

// Continuations is where the rest of the work goes if it takes longer than a queue leaves a
// message with one worker.
type Continuations struct {
	Publisher message.Publisher // nil: unfinished messages go back to the queue
	Topic     string            // the queue that the messages come from
}

// Unfinished returns the error of a [Handler] that stopped in the middle and has saved everything
// that it needs to continue. Its class is Unfinished. progress must grow from slice to slice of the
// same event.
func Unfinished(progress int64) error { return &unfinishedError{progress} }

type unfinishedError struct{ progress int64 }

func (e *unfinishedError) Error() string {
	return fmt.Sprintf("not finished, continues later (progress %d)", e.progress)
}

// errNoProgress: another slice would do the same again.
var errNoProgress = errors.New("no progress since the last slice")

// continued sends the rest of unfinished work to the queue as a new message. The queue counts its
// deliveries from 1. The fate of the delivery is Continued
// only if the publisher has the message. Work without progress is a transient failure instead,
// so that the limit of deliveries ends it.
func continued(to Continuations) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			_, err := next(msg)
			if Classify(err) != ClassUnfinished || to.Publisher == nil {
				return nil, err
			}
			now := progressOf(deliveryOf(msg).Events)
			if before, ok := parseProgress(msg.Metadata.Get(MetadataProgress)); ok && !now.beyond(before) {
				return nil, &stuckError{err} // Nack: a continuation would loop without limit.
			}
			rest := message.NewMessageWithContext(msg.Context(), watermill.NewUUID(), msg.Payload)
			rest.Metadata = maps.Clone(msg.Metadata)
			if rest.Metadata == nil {
				rest.Metadata = make(message.Metadata)
			}
			delete(rest.Metadata, MetadataAttempt)
			slices, _ := strconv.Atoi(msg.Metadata.Get(MetadataSlice)) // 0 in the first slice
			rest.Metadata.Set(MetadataSlice, strconv.Itoa(slices+1))
			rest.Metadata.Set(MetadataProgress, now.String())
			carryTrace(msg.Context(), rest.Metadata)
			failed := deliveryOf(msg).observer.Do(msg.Context(), StepContinue, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, rest)
			})
			if failed != nil {
				return nil, &stuckError{fmt.Errorf("send the continuation: %w", failed)} // Nack: the rest would be lost.
			}
			deliveryOf(msg).Fate = Continued
			return nil, err
		}
	}
}

// stuckError is always transient.
type stuckError struct{ err error }

func (e *stuckError) Error() string {
	if is[*unfinishedError](e.err) {
		return fmt.Sprintf("%v: %v", errNoProgress, e.err)
	}
	return e.err.Error()
}

// progress is how far the work of a message has come.
type progress struct {
	done int   // number of events that are done
	rest int64 // sum of the progress of the others
}

func progressOf(events []Handled) progress {
	var p progress
	for _, h := range events {
		if u, ok := errors.AsType[*unfinishedError](h.Err); ok {
			p.rest += u.progress
		} else {
			p.done++
		}
	}
	return p
}

func (p progress) beyond(before progress) bool {
	return p.done > before.done || p.done == before.done && p.rest > before.rest
}

func (p progress) String() string { return fmt.Sprintf("%d/%d", p.done, p.rest) }

func parseProgress(text string) (p progress, ok bool) {
	_, err := fmt.Sscanf(text, "%d/%d", &p.done, &p.rest)
	return p, err == nil
}
