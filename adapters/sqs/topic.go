package sqs

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// sendTime bounds the sending of one message, repetitions included.
	sendTime = 30 * time.Second
	// defaultGroup is the message group of messages that have none.
	defaultGroup = "bucketsum"
)

// topic sends through a watermill-aws publisher. On FIFO queues messages are of the
// group that [MetadataGroup] names. On other queues, messages with a tenant are of its group, so that SQS prefers
// the messages of others, see
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html.
type topic struct {
	*client
	publisher *watermillsqs.Publisher
}

// OpenTopic implements queue.Driver. It shows that the queue is there; the first
// message shows whether it may be written to.
func (d *Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	c, err := d.client(ctx, url)
	if err != nil {
		return nil, err
	}
	_, err = c.attributes(ctx, types.QueueAttributeNameQueueArn)
	if err != nil && code(err) != "AccessDenied" { // a sender need not be allowed to read attributes
		return nil, c.explained(err)
	}
	t := &topic{client: c}
	t.publisher, err = watermillsqs.NewPublisher(watermillsqs.PublisherConfig{
		AWSConfig:                   c.aws,
		OptFns:                      []func(*sqs.Options){bounded(sendTime)},
		DoNotCreateQueueIfNotExists: true,
		QueueUrlResolver:            resolver{c},
		Marshaler:                   marshaler{},
		GenerateSendMessageInput:    t.input,
	}, watermill.NopLogger{}) // its lines have the payloads
	return t, err
}

// Send implements queue.Topic. watermill-aws takes no context: once begun, sending
// ends within sendTime.
func (t *topic) Send(_ context.Context, m *message.Message) error {
	return t.publisher.Publish(t.address.queue, m)
}

// Close implements queue.Topic.
func (t *topic) Close() error { return t.publisher.Close() }

// input says how a marshaled message is sent.
func (t *topic) input(_ context.Context, url watermillsqs.QueueURL, m *types.Message) (*sqs.SendMessageInput, error) {
	in := &sqs.SendMessageInput{
		QueueUrl: aws.String(string(url)), MessageBody: m.Body, MessageAttributes: m.MessageAttributes,
	}
	tenant := m.Attributes[pipeline.MetadataTenant]
	if !t.fifo() {
		if tenant != "" {
			in.MessageGroupId = &tenant // a fair queue
		}
		return in, nil
	}
	in.MessageGroupId = aws.String(defaultGroup)
	if tenant != "" {
		in.MessageGroupId = aws.String(watermill.NewUUID()) // messages of one group would wait for each other
	}
	if g := m.Attributes[MetadataGroup]; g != "" {
		in.MessageGroupId = &g
	}
	// Each Publish has its own: SQS recognises the SDK's repetitions, but not a
	// message that is sent twice on purpose.
	in.MessageDeduplicationId = aws.String(watermill.NewUUID())
	if d := m.Attributes[MetadataDeduplication]; d != "" {
		in.MessageDeduplicationId = &d
	}
	return in, nil
}

// resolver gives watermill-aws the queue's URL, and says that the queue exists:
// otherwise it would be created.
type resolver struct{ c *client }

func (r resolver) ResolveQueueUrl(context.Context, watermillsqs.ResolveQueueUrlParams) (watermillsqs.QueueUrlResolverResult, error) {
	url := watermillsqs.QueueURL(r.c.address.queue)
	return watermillsqs.QueueUrlResolverResult{
		QueueName: watermillsqs.QueueName(r.c.address.queue), QueueURL: &url, Exists: aws.Bool(true),
	}, nil
}
