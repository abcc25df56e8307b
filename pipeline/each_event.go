package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Handled is one event of a message and how its handling ended.
type Handled struct {
	Event Event
	// Err is why the work of the event is not done. It is nil for an event that was handled or
	// asks for no work.
	Err error

	settled bool // handling it again would change nothing
}

// each is the end of the chain. It handles the events of the message one after the other. A failed
// event does not stop the others. When a retry calls each again, it handles only the events that
// are not settled.
func each(handle eachHandler) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		ctx := msg.Context()
		events := deliveryOf(msg).Events
		for i := range events {
			h := &events[i]
			if h.settled {
				continue
			}
			if ctx.Err() != nil {
				h.Err = context.Cause(ctx)
				continue
			}
			err := handle(ctx, h.Event, Attempt(msg))
			if err != nil && ctx.Err() != nil {
				err = &interruptedError{cause: context.Cause(ctx), err: err}
			}
			h.Err = err
			h.settled = Classify(err) != ClassTransient
		}
		return failures(events)
	}
}

// failures returns the errors of the events, or nil if every event is done. It omits superseded
// events if others failed.
func failures(events []Handled) error {
	var failed, superseded []error
	for _, h := range events {
		err := h.Err
		if err == nil {
			continue
		}
		if len(events) == 1 {
			return err
		}
		if h.Event.Object.Key != "" { // an event that could not be decoded has none
			err = &eventError{h.Event.Object, err}
		}
		if Classify(err) == ClassSuperseded {
			superseded = append(superseded, err)
		} else {
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 {
		failed = superseded
	}
	if len(failed) == 0 {
		return nil
	}
	return &eventErrors{failed: failed, of: len(events)}
}

const (
	namedFailures = 5   // failures in the text of eventErrors
	maxFailure    = 500 // bytes of each
)

// eventErrors are the failures of the events of one message.
type eventErrors struct {
	failed []error
	of     int // events in the message
}

// eventError is the failure of one event. Its text is made only if it is read: a message may have
// thousands of events, whose texts repeat long keys.
type eventError struct {
	object Object
	err    error
}

func (e *eventError) Error() string { return fmt.Sprintf("%s: %v", e.object, e.err) }
func (e *eventError) Unwrap() error { return e.err }

// Error starts with the number of failures, which remains if the text is cut.
func (e *eventErrors) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d events: ", len(e.failed), e.of)
	named := min(len(e.failed), namedFailures)
	for i, err := range e.failed[:named] {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(readable.Cut(err.Error(), maxFailure))
	}
	if more := len(e.failed) - named; more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	return text.String()
}

func (e *eventErrors) Unwrap() []error { return e.failed }
