package sqs_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestAttributesArriveAsSent(t *testing.T) {
	text := func(kind, v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, StringValue: &v}
	}
	binary := func(kind, v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, BinaryValue: []byte(v)}
	}
	both(t, func(b *bench, url string) {
		in := &sdk.SendMessageInput{
			QueueUrl: queueURL(url), MessageBody: aws.String("body"),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"x":                       text("String", "100%25 a%2Fb"),
				"bad":                     text("String", "100% of it+ö/?"),
				"a__0x2f__0x2f__b":        text("String", "__0x2f__"),
				"n":                       text("Number", "42"),
				"custom":                  text("String.colour", "red"),
				"blob":                    binary("Binary", "\x00\xff%25"),
				"png":                     binary("Binary.png", "\x89PNG"),
				"both":                    binary("Binary", "\x01"),
				"both.base64":             text("String", "mine"),
				"_watermill_message_uuid": binary("Binary", "u"),
			},
		}
		if strings.HasPrefix(url, sqs.SchemeOrdered+":") {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String("g"), aws.String("d")
		}
		if _, err := b.client.SendMessage(b.t.Context(), in); err != nil {
			b.t.Fatal(err)
		}
		w := b.worker(url, queue.Config{})
		m := w.next()
		delete(m.Metadata, pipeline.MetadataAttempt)
		delete(m.Metadata, sqs.MetadataGroup)
		want := message.Metadata{
			"x": "100%25 a%2Fb", "bad": "100% of it+ö/?", "a__0x2f__0x2f__b": "__0x2f__", "n": "42", "custom": "red",
			"blob.base64": "AP8lMjU=", "png.base64": "iVBORw==", "both.base64": "mine",
			"_watermill_message_uuid.base64": "dQ==",
		}
		if diff := cmp.Diff(want, m.Metadata); diff != "" {
			b.t.Errorf("metadata (-want +got):\n%s", diff)
		}
		m.Ack()
		w.close()
	})
}
