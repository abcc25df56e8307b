package sqs_test

import (
	"encoding/json"
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

// With raw=false gocloud removes the SNS envelope, also that of a message on which
// X-Ray has put its trace. A message with attributes of its own has no envelope.
func TestSNSEnvelope(t *testing.T) {
	text := func(v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
	}
	envelope, err := json.Marshal(map[string]any{
		"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Timestamp": "2026-01-01T00:00:00.000Z",
		"Message": "body", "MessageAttributes": map[string]any{"k": map[string]string{"Type": "String", "Value": "a%2Fb"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	trace := map[string]types.MessageSystemAttributeValue{
		"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")},
	}
	const parent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
	for name, c := range map[string]struct {
		query, body string
		attributes  map[string]types.MessageAttributeValue
		want        string
		metadata    message.Metadata
	}{
		"envelope":      {"?raw=false", string(envelope), nil, "body", message.Metadata{"k": "a/b", "traceparent": parent}},
		"no envelope":   {"?raw=false", "body", nil, "body", message.Metadata{"traceparent": parent}},
		"attributes":    {"?raw=false", string(envelope), map[string]types.MessageAttributeValue{"x": text("a%2Fb")}, string(envelope), message.Metadata{"x": "a%2Fb", "traceparent": parent}},
		"raw, envelope": {"", string(envelope), nil, string(envelope), message.Metadata{"traceparent": parent}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				url := b.create(sqs.SchemeParallel, "objects", nil)
				if _, err := b.client.SendMessage(t.Context(), &sdk.SendMessageInput{
					QueueUrl: queueURL(url), MessageBody: &c.body, MessageAttributes: c.attributes, MessageSystemAttributes: trace,
				}); err != nil {
					t.Fatal(err)
				}
				w := b.worker(url+c.query, queue.Config{})
				m := w.next()
				delete(m.Metadata, pipeline.MetadataAttempt)
				if string(m.Payload) != c.want {
					t.Errorf("body is %s, want %s", m.Payload, c.want)
				}
				if diff := cmp.Diff(c.metadata, m.Metadata); diff != "" {
					t.Errorf("metadata (-want +got):\n%s", diff)
				}
				m.Ack()
				w.close()
			})
		})
	}
}
