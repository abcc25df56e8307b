package pipeline

import (
	"github.com/ThreeDotsLabs/watermill/message"
)

// decoded makes the message's events available to the middleware inside of it.
// Events that ask for no work are settled here.
func decoded(decode Decoder) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			var events []Event
			err := safely(func() (err error) {
				events, err = decode(msg.Payload, msg.Metadata)
				return err
			})
			if err != nil {
				return nil, err
			}
			b := make(batch, len(events))
			for i, e := range events {
				b[i] = Handled{Event: e, settled: e.Kind == Ignored}
			}
			msg.SetContext(withBatch(msg.Context(), b))
			return next(msg)
		}
	}
}
