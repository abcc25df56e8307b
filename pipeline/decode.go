package pipeline

import (
	"github.com/ThreeDotsLabs/watermill/message"
)

// decoded decodes the message and puts its events into the delivery. Events that ask for no work are
// settled at once.
func decoded(decode Decoder) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			var events []Event
			err := safely(func() (err error) {
				events, err = decode(msg.Payload, msg.Metadata)
				return err
			})
			if err != nil && len(events) == 0 {
				return nil, err
			}
			handled := make([]Handled, len(events))
			for i, e := range events {
				handled[i] = Handled{Event: e, settled: e.Kind == Ignored}
			}
			if err != nil {
				// The decoded events are handled; the message is dead-lettered because of the
				// rest.
				handled = append(handled, Handled{Err: err, settled: true})
			}
			deliveryOf(msg).Events = handled
			return next(msg)
		}
	}
}
