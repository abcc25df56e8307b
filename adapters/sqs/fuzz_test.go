package sqs

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// FuzzMessage asserts that SQS can carry every message and that it arrives as it was sent, and
// that a message with any attributes can be received.
func FuzzMessage(f *testing.F) {
	f.Add("id", []byte("body"), "name", "value", "bucketsum.metadata", `{"a":"b"}`)
	f.Add("", []byte{}, "a b", "\x00", "AWS.x", "y")
	f.Add("\xff", []byte("\x00\xff"), "base64encoded", "true", "_watermill_message_uuid", "z")
	f.Add("i", []byte("aGVsbG8=\n"), "", "", "traceparent", "00-x")
	f.Fuzz(func(t *testing.T, id string, body []byte, name, value, other, otherValue string) {
		foreign := received(&types.Message{MessageId: aws.String(id), MessageAttributes: map[string]types.MessageAttributeValue{
			name: text(value), other: {DataType: aws.String("Binary." + value), BinaryValue: []byte(otherValue)},
		}}, body)
		if foreign.Payload == nil && len(body) > 0 {
			t.Errorf("the body %q is lost", body)
		}

		m := message.NewMessage(id, body)
		m.Metadata.Set(name, value)
		m.Metadata.Set(other, otherValue)
		sent, err := marshaler{}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(sent.MessageAttributes); n > maxAttributes {
			t.Errorf("%d attributes", n)
		}
		for k, v := range sent.MessageAttributes {
			if !isAttributeName(k) || !isText(*v.StringValue) || *v.StringValue == "" {
				t.Errorf("SQS refuses the attribute %q: %q", k, *v.StringValue)
			}
		}
		if *sent.Body == "" || !isText(*sent.Body) {
			t.Errorf("SQS refuses the body %q", *sent.Body)
		}
		for _, k := range []string{name, other} {
			switch k {
			case MetadataGroup, MetadataDeduplication, attributeBase64, queue.MetadataUUID, "_watermill_message_uuid":
				return // they have another meaning
			}
		}
		for _, s := range []string{id, name, value, other, otherValue} {
			if !utf8.ValidString(s) {
				return // arrives with other characters
			}
		}
		sent.MessageId = aws.String(id)
		got := received(sent, []byte(*sent.Body))
		if string(got.Payload) != string(body) || got.UUID != id {
			t.Errorf("%q with the body %q arrives as %q with %q", id, body, got.UUID, got.Payload)
		}
		if diff := cmp.Diff(m.Metadata, got.Metadata); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	})
}

// FuzzAddress asserts that the URL of a queue is read or refused without a secret in the error.
func FuzzAddress(f *testing.F) {
	for _, raw := range []string{"awssqs://sqs.eu-central-1.amazonaws.com/1/q?visibility=5m", "sqs://u:s3cr3t-s3cr3t@host/1/q", "awssqs://host:s3cr3t-s3cr3t/1/q", "awssqs:///q", "awssqs://%zz", "sqs://h/q?waittime=9999999h"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := parseAddress(raw)
		if err != nil {
			_, after, _ := strings.Cut(raw, "@")
			if before := strings.TrimSuffix(raw, "@"+after); before != raw && len(before) > 20 && strings.Contains(err.Error(), before) {
				t.Errorf("the error shows what precedes the @: %v", err)
			}
			return
		}
		if !strings.HasPrefix(a.queue, "https://") || a.wait < 0 || a.wait.Seconds() > 20 || a.visibility < 0 || a.visibility.Hours() > 12 {
			t.Errorf("%q is read as %+v", raw, a)
		}
	})
}
