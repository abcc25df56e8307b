package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxBody is the largest body that is parsed, in bytes: the limit of SQS.
const maxBody = 1 << 20

// message has the text fields of an envelope, by their exact names.
type message map[string]string

// signedFields are the fields that the signature covers, in their order in the string to
// sign, by the type of the message.
var signedFields = map[string][]string{
	"Notification":             {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"},
	"SubscriptionConfirmation": {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
	"UnsubscribeConfirmation":  {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"},
}

// parse reads an envelope, and returns an error if the body is none.
func parse(body []byte) (message, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body has %d bytes, more than the limit of %d", len(body), maxBody)
	}
	var fields map[string]json.RawMessage // not a struct, which would take "message" for Message
	if !utf8.Valid(body) || json.Unmarshal(body, &fields) != nil {
		return nil, errors.New("the message has no envelope of SNS; is raw message delivery on?")
	}
	m := make(message)
	for name, raw := range fields {
		var text string
		if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
			m[name] = text
		}
	}
	needed, known := signedFields[m["Type"]]
	if !known {
		return nil, errors.New("the message has no envelope of SNS; is raw message delivery on?")
	}
	for _, name := range needed {
		if m[name] == "" && name != "Subject" {
			return nil, fmt.Errorf("%s is missing", name)
		}
	}
	return m, nil
}

// stringToSign returns what SNS signs.
func (m message) stringToSign() string {
	var b strings.Builder
	for _, name := range signedFields[m["Type"]] {
		if value, has := m[name]; has {
			b.WriteString(name + "\n" + value + "\n")
		}
	}
	return b.String()
}

// signed returns the envelope with the signed fields only.
func (m message) signed() []byte {
	fields := make(message)
	for _, name := range signedFields[m["Type"]] {
		if value, has := m[name]; has {
			fields[name] = value
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // cannot happen: strings
	}
	return body
}
