package sqstest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

func testMissingQueue(t *testing.T, q queueTest) {
	url := q.create("", nil)
	_, err := q.c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &url})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"GetQueueAttributes": func(ctx context.Context) error {
			_, err := q.c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url})
			return err
		},
		"ReceiveMessage": func(ctx context.Context) error {
			_, err := q.c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
			return err
		},
		"SendMessage": func(ctx context.Context) error {
			_, err := q.c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b")})
			return err
		},
		"GetQueueUrl": func(ctx context.Context) error {
			_, err := q.c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
			return err
		},
	} {
		err := call(t.Context())
		if missing := (*types.QueueDoesNotExist)(nil); !errors.As(err, &missing) {
			t.Errorf("%s: error is %v, want QueueDoesNotExist", name, err)
		}
	}
}

func testQueueAttributes(t *testing.T, q queueTest) {
	url := q.create("", map[string]string{"VisibilityTimeout": "77"})
	_, err := q.c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"DelaySeconds": "3"}})
	if err != nil {
		t.Fatal(err)
	}
	a := q.attributes(url)
	for name, want := range map[string]string{
		"VisibilityTimeout": "77", "DelaySeconds": "3", "MessageRetentionPeriod": "345600",
		"ApproximateNumberOfMessages": "0", "RedrivePolicy": "",
	} {
		if a[name] != want {
			t.Errorf("%s is %q, want %q", name, a[name], want)
		}
	}
	if !strings.HasSuffix(a["QueueArn"], ":"+q.name) {
		t.Errorf("QueueArn is %q", a["QueueArn"])
	}
	one, err := q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout"},
	})
	if diff := cmp.Diff(map[string]string{"VisibilityTimeout": "77"}, must(t, one, err).Attributes); diff != "" {
		t.Errorf("one attribute (-want +got):\n%s", diff)
	}
	_, err = q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Colour"},
	})
	wantCode(t, err, "InvalidAttributeName")
}

func testPurge(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "a", "b")
	_, err := q.c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &url})
	if err != nil {
		t.Fatal(err)
	}
	q.empty(url)
}

func testListQueuesAndGetURL(t *testing.T, q queueTest) {
	url := q.create("", nil)
	got, err := q.c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &q.name})
	if must(t, got, err); aws.ToString(got.QueueUrl) != url {
		t.Errorf("GetQueueUrl: %s, CreateQueue: %s", aws.ToString(got.QueueUrl), url)
	}
	list, err := q.c.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: &q.name})
	if diff := cmp.Diff([]string{url}, must(t, list, err).QueueUrls); diff != "" {
		t.Errorf("ListQueues (-want +got):\n%s", diff)
	}
	if again := q.create("", nil); again != url {
		t.Errorf("creating it again: %s", again)
	}
}
