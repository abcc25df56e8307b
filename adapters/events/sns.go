package events

import (
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// decodeSNS opens the envelope that SNS puts around a message unless raw delivery is on, see
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html. Envelopes
// about the subscription are ignored.
func (o *opening) decodeSNS(body []byte) ([]pipeline.Event, error) {
	var m struct {
		Type      string
		MessageID identifier `json:"MessageId"`
		Message   string
		Timestamp moment
	}
	if err := unmarshal("", body, &m); err != nil {
		return nil, fmt.Errorf("SNS: %w", err)
	}
	switch {
	case m.Type == "":
		return nil, errors.New("SNS: Type is missing")
	case m.Type == "SubscriptionConfirmation", m.Type == "UnsubscribeConfirmation":
		return []pipeline.Event{ignored(m.Type, m.MessageID, m.Timestamp)}, nil
	case m.Type != "Notification":
		return nil, fmt.Errorf("SNS: messages of the type %s are not read", quoted(m.Type))
	case m.Message == "":
		return nil, errors.New("SNS: Message is missing")
	case mangled(m.Message, body):
		return nil, errors.New("SNS: Message contains half of a surrogate pair")
	}
	events, err := o.wrapped([]byte(m.Message), nil)
	if err != nil {
		return events, fmt.Errorf("SNS: Message: %w", err)
	}
	return events, nil
}
