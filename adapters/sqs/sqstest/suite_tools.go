package sqstest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (q queueTest) create(suffix string, attributes map[string]string) string {
	q.t.Helper()
	out, err := q.c.CreateQueue(q.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(q.name + suffix), Attributes: attributes})
	return aws.ToString(must(q.t, out, err).QueueUrl)
}

func (q queueTest) send(url string, bodies ...string) {
	q.t.Helper()
	for _, b := range bodies {
		out, err := q.c.SendMessage(q.t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &b})
		must(q.t, out, err)
	}
}

func (q queueTest) sendTo(url, group, deduplication, body string) string {
	q.t.Helper()
	out, err := q.c.SendMessage(q.t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &deduplication,
	})
	return aws.ToString(must(q.t, out, err).MessageId)
}

func (q queueTest) receive(url string, n, visibility, wait int32) []types.Message {
	q.t.Helper()
	out, err := q.c.ReceiveMessage(q.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: n, VisibilityTimeout: visibility, WaitTimeSeconds: wait,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	return must(q.t, out, err).Messages
}

// receiveOne waits for a message. Visibility 0 stands for the queue's own.
func (q queueTest) receiveOne(url string, visibility int32) types.Message {
	q.t.Helper()
	ms := q.receive(url, 1, visibility, 10)
	if len(ms) != 1 {
		q.t.Fatalf("%d messages received, want 1", len(ms))
	}
	return ms[0]
}

func (q queueTest) empty(url string) {
	q.t.Helper()
	if ms := q.receive(url, 10, 1, 0); len(ms) > 0 {
		q.t.Fatalf("%d messages received, want none", len(ms))
	}
}

func (q queueTest) delete(url string, m types.Message) {
	q.t.Helper()
	out, err := q.c.DeleteMessage(q.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	must(q.t, out, err)
}

func (q queueTest) setVisibility(url string, m types.Message, seconds int32) {
	q.t.Helper()
	out, err := q.c.ChangeMessageVisibility(q.t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds,
	})
	must(q.t, out, err)
}

func (q queueTest) attributes(url string) map[string]string {
	q.t.Helper()
	out, err := q.c.GetQueueAttributes(q.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	return must(q.t, out, err).Attributes
}

func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || !slices.Contains(codes, api.ErrorCode()) {
		t.Errorf("error is %v, want one with code %s", err, strings.Join(codes, " or "))
	}
}

func receiveCount(m types.Message) string { return m.Attributes["ApproximateReceiveCount"] }
