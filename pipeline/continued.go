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

// Metadata of continuations. Who redrives a dead letter may leave it.
const (
	// MetadataSlice is how many times the work of the message has been cut.
	MetadataSlice = "slice"
	// MetadataProgress is how far the work had come by then: events that are done,
	// a slash, and the progress of the others.
	MetadataProgress = "slice_progress"
)

// Continuations is where the rest of work goes that takes longer than a queue
// leaves a message with one worker.
type Continuations struct {
	Publisher message.Publisher // nil: what is not finished goes back to the queue
	Topic     string            // the queue that the messages come from
}

// Unfinished is what a [Handler] returns when it has stopped in the middle, with
// all that it needs to go on saved. It is of class Unfinished. Progress grows with
// each time that the same event comes back.
func Unfinished(progress int64) error { return &unfinishedError{progress} }

type unfinishedError struct{ progress int64 }

func (e *unfinishedError) Error() string {
	return fmt.Sprintf("not finished, goes on later (progress %d)", e.progress)
}

// errNoProgress: the same slice again would change nothing.
var errNoProgress = errors.New("no progress since the last slice")

// continued sends the message to its queue once more when its work was cut, as a
// new message: its deliveries are counted anew, and no queue takes it for one that
// it has had. The delivery's fate is Continued only if the publisher has the
// message. Work that does not come forward is a transient failure instead, so that
// the deliveries of the message bound it.
func continued(to Continuations) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			_, err := next(msg)
			if Classify(err) != ClassUnfinished || to.Publisher == nil {
				return nil, err
			}
			now := progressOf(deliveryOf(msg).Events)
			if before, ok := parseProgress(msg.Metadata.Get(MetadataProgress)); ok && !now.beyond(before) {
				return nil, &stuckError{err}
			}
			rest := message.NewMessageWithContext(msg.Context(), watermill.NewUUID(), msg.Payload)
			rest.Metadata = maps.Clone(msg.Metadata)
			if rest.Metadata == nil {
				rest.Metadata = make(message.Metadata)
			}
			delete(rest.Metadata, MetadataAttempt)
			slices, _ := strconv.Atoi(msg.Metadata.Get(MetadataSlice)) // none: the first
			rest.Metadata.Set(MetadataSlice, strconv.Itoa(slices+1))
			rest.Metadata.Set(MetadataProgress, now.String())
			carryTrace(msg.Context(), rest.Metadata)
			failed := deliveryOf(msg).observer.Do(msg.Context(), StepContinue, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, rest)
			})
			if failed != nil {
				return nil, &stuckError{fmt.Errorf("send the continuation: %w", failed)}
			}
			deliveryOf(msg).Fate = Continued
			return nil, err
		}
	}
}

// stuckError is transient whatever it wraps.
type stuckError struct{ err error }

func (e *stuckError) Error() string {
	if is[*unfinishedError](e.err) {
		return fmt.Sprintf("%v: %v", errNoProgress, e.err)
	}
	return e.err.Error()
}

// progress is how far the work of a message is.
type progress struct {
	done int   // events
	rest int64 // the sum of what the others say
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
