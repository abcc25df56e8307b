package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Handled is how far one event of a message has come.
type Handled struct {
	Event Event
	// Err is why the event's work was not done. It is nil for an event that
	// was handled, was a duplicate or asked for no work.
	Err error
	// Duplicate means that the work had been done before.
	Duplicate bool

	settled bool // handling it again would change nothing
}

// each is the end of the chain. It gives every event of the message that is not
// settled to handle, one after the other. It goes on after a failure, so that
// one bad record of a thousand does not hold up the others; called again by a
// retry, it goes over the failed ones only.
func each(handle Handler) message.NoPublishHandlerFunc {
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
			err := handle(ctx, h.Event)
			if h.Duplicate = errors.Is(err, errDuplicate); h.Duplicate {
				err = nil
			}
			if err != nil && ctx.Err() != nil {
				err = &interruptedError{cause: context.Cause(ctx), err: err}
			}
			h.Err = err
			h.settled = Classify(err) != ClassTransient
		}
		return failures(events)
	}
}

// failures returns nil when every event is done, else what the failed ones
// returned. Superseded events are not named beside others that failed.
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
		if h.Event.Object.Key != "" { // else it could not be decoded
			err = fmt.Errorf("%s: %w", h.Event.Object, err)
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

// The text of eventErrors names so many failures with so many bytes each.
const (
	namedFailures = 5
	maxFailure    = 500
)

// eventErrors are the failures of the events of one message.
type eventErrors struct {
	failed []error
	of     int // events in the message
}

// Error starts with how many there are, so that it survives when the text is cut.
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
