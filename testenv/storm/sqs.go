package storm

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
})

// sqsClient uses the SQS model as the users do: without the proxy.
type sqsClient struct{ *sqs.Client }

func newSQSClient(server *sqstest.Server) sqsClient {
	return sqsClient{sqs.New(sqs.Options{Region: awsenv.Region, Credentials: credentials, HTTPClient: &http.Client{Transport: server}})}
}

// newQueue makes the queues of a lane. A message that fails for as long as a storm lasts ends
// in the dead-letter queue without a reason, which the last check reports.
func newQueue(t testing.TB, server *sqstest.Server, name string) *queue {
	t.Helper()
	q := &queue{server: server, name: name, client: newSQSClient(server)}
	for _, suffix := range []string{"-failed", "-results", ""} {
		attributes := map[string]string{"VisibilityTimeout": fmt.Sprint(queueSeconds)}
		if suffix == "" {
			attributes["RedrivePolicy"] = `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:` + name + `-failed","maxReceiveCount":"1000"}`
		}
		if _, err := q.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name + suffix), Attributes: attributes}); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func (c sqsClient) send(ctx context.Context, name, body string) error {
	_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(sqstest.QueueURL(name)), MessageBody: &body})
	return err
}

func (c sqsClient) count(ctx context.Context, name string) (int, error) {
	out, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(sqstest.QueueURL(name)), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return 0, err
	}
	total := 0
	for _, attribute := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var n int
		if _, err := fmt.Sscan(out.Attributes[attribute], &n); err != nil {
			return 0, fmt.Errorf("%s: %w", attribute, err)
		}
		total += n
	}
	return total, nil
}

// drain receives and deletes messages until ctx ends.
func (c sqsClient) drain(ctx context.Context, name string, each func(types.Message)) {
	url := aws.String(sqstest.QueueURL(name))
	for ctx.Err() == nil {
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, VisibilityTimeout: 600,
			MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			continue // ctx ended
		}
		for _, m := range out.Messages {
			each(m)
			_, _ = c.DeleteMessage(context.WithoutCancel(ctx), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}) // the model does not fail
		}
	}
}
