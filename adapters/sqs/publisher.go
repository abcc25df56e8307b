package sqs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	// sendTimeout bounds the sending of one message, repetitions included.
	sendTimeout = 30 * time.Second
	// group is the message group of messages that have none.
	group = "bucketsum"
)

// Publisher sends messages to queues; a Watermill topic is the URL of a queue,
// of either scheme. Metadata become message attributes; what does not fit into
// SQS's ten is folded into one, and put back when a queue of this package
// receives it. On FIFO queues messages are of the group that [MetadataGroup]
// names. Safe for concurrent use.
type Publisher struct {
	queues *Queues

	mu         sync.Mutex
	publishers map[string]*watermillsqs.Publisher // by URL
	closed     bool
}

// NewPublisher returns a publisher to the queues.
func NewPublisher(queues *Queues) *Publisher {
	return &Publisher{queues: queues, publishers: make(map[string]*watermillsqs.Publisher)}
}

// Open checks that the queue is there. That it may be written to shows with the
// first message.
func (p *Publisher) Open(ctx context.Context, url string) error {
	q, err := p.queues.queue(ctx, url)
	if err != nil {
		return err
	}
	_, err = q.attributes(ctx, types.QueueAttributeNameQueueArn)
	if err != nil && code(err) != "AccessDenied" { // whoever may send need not be allowed more
		return q.explained(err)
	}
	return nil
}

// Publish sends the messages one after the other and returns when SQS has them.
// After an error, those before the one that failed are sent.
func (p *Publisher) Publish(url string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := m.Context().Err(); err != nil {
			return fmt.Errorf("publish to %s: %w", redacted(url), context.Cause(m.Context()))
		}
		inner, err := p.publisher(m.Context(), url)
		if err != nil {
			return err
		}
		if err := inner.Publish(redacted(url), m); err != nil {
			return fmt.Errorf("publish to %s: %w", redacted(url), err)
		}
	}
	return nil
}

func (p *Publisher) publisher(ctx context.Context, url string) (*watermillsqs.Publisher, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("publish to %s: publisher %w", redacted(url), ErrClosed)
	}
	if inner := p.publishers[url]; inner != nil {
		return inner, nil
	}
	q, err := p.queues.queue(ctx, url)
	if err != nil {
		return nil, err
	}
	inner, err := watermillsqs.NewPublisher(watermillsqs.PublisherConfig{
		AWSConfig:                   q.aws,
		OptFns:                      []func(*sqs.Options){limited},
		DoNotCreateQueueIfNotExists: true,
		QueueUrlResolver:            resolver{q},
		Marshaler:                   marshaler{},
		GenerateSendMessageInput:    q.sendInput,
	}, watermill.NopLogger{}) // its lines have the payloads
	if err != nil {
		return nil, fmt.Errorf("publisher of %s: %w", redacted(url), err)
	}
	p.publishers[url] = inner
	return inner, nil
}

// Close makes Publish fail. The queues stay open.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// sendInput says how a marshaled message is sent.
func (q *openQueue) sendInput(_ context.Context, url watermillsqs.QueueURL, m *types.Message) (*sqs.SendMessageInput, error) {
	in := &sqs.SendMessageInput{
		QueueUrl: aws.String(string(url)), MessageBody: m.Body, MessageAttributes: m.MessageAttributes,
	}
	if !q.fifo() {
		return in, nil
	}
	in.MessageGroupId = aws.String(group)
	if g := m.Attributes[MetadataGroup]; g != "" {
		in.MessageGroupId = &g
	}
	// One of its own for each Publish: the SDK's repetitions are recognised,
	// and a message that is meant to be sent again is not.
	in.MessageDeduplicationId = aws.String(watermill.NewUUID())
	if d := m.Attributes[MetadataDeduplication]; d != "" {
		in.MessageDeduplicationId = &d
	}
	return in, nil
}

// resolver makes a topic that is one of our URLs the queue's URL. Without saying that
// the queue exists it would have to be created.
type resolver struct{ q *openQueue }

func (r resolver) ResolveQueueUrl(context.Context, watermillsqs.ResolveQueueUrlParams) (watermillsqs.QueueUrlResolverResult, error) {
	url := watermillsqs.QueueURL(r.q.address.queue)
	return watermillsqs.QueueUrlResolverResult{
		QueueName: watermillsqs.QueueName(r.q.address.queue), QueueURL: &url, Exists: aws.Bool(true),
	}, nil
}

// limited bounds what a client does by time: Watermill gives it no context.
func limited(o *sqs.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Limit", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			ctx, cancel := context.WithTimeout(ctx, sendTimeout)
			defer cancel()
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
}
