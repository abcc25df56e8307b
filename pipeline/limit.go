package pipeline

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// limited gives up a message that arrives beyond maxDeliveries, without working on it. A delivery whose
// worker dies, or loses its lease, reaches no dead letter by itself: only a later delivery can send it there. So an
// object that kills its worker becomes a dead letter. The delivery with the number maxDeliveries is still
// worked on. 0, or no dead letters: the policy of the queue decides.
func limited(to DeadLetters, maxDeliveries int) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			n := Attempt(msg)
			if to.Publisher == nil || maxDeliveries == 0 || n <= maxDeliveries {
				return next(msg)
			}
			var err error
			events := deliveryOf(msg).Events
			for i := range events {
				if h := &events[i]; !h.settled {
					err = Permanent(&beyondLimitError{n - 1})
					h.Err, h.settled = err, true
				}
			}
			if err == nil {
				return next(msg) // no event asks for work
			}
			return nil, err
		}
	}
}

// beyondLimitError is why a message was given up without working on it.
type beyondLimitError struct{ before int }

func (e *beyondLimitError) Error() string {
	return fmt.Sprintf("interrupted %d times: each delivery before this one failed (the log says why), or ended with its worker or its lease; this one was not worked on", e.before)
}
