package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
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

// Subscriber reads sqs:// queues through watermill-aws, one message at a time of
// each message group of a FIFO queue: the next comes when the one before is
// acked, and after a nack the same one comes again. A Watermill topic is the
// queue's URL. Safe for concurrent use.
//
// What it adds to watermill-aws's subscriber: leases, so that work can outlast
// the visibility; acks whose failures are retried, also while it closes; messages whose
// contexts end with their lease and not with Close; a wait before a redelivery,
// and one before the next receive that grows while SQS fails.
type Subscriber struct {
	queues *Queues

	stopping, overdue context.Context // end with Close, and CloseTimeout after it
	stop, expire      context.CancelFunc
	running           sync.WaitGroup // one for each Subscribe

	mu     sync.Mutex
	closed bool
}

// NewSubscriber returns a subscriber to the queues.
func NewSubscriber(queues *Queues) *Subscriber {
	s := &Subscriber{queues: queues}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.overdue, s.expire = context.WithCancel(context.Background())
	return s
}

// SubscribeInitialize checks the queue before anybody subscribes.
func (s *Subscriber) SubscribeInitialize(url string) error {
	return s.queues.Open(s.stopping, url)
}

// Subscribe delivers messages until ctx ends or the subscriber closes; then
// intake stops at once, and the channel is closed when every message delivered
// through it is acked or nacked.
func (s *Subscriber) Subscribe(ctx context.Context, url string) (<-chan *message.Message, error) {
	q, err := s.queues.queue(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := q.check(ctx); err != nil {
		return nil, err
	}
	inner, err := watermillsqs.NewSubscriber(watermillsqs.SubscriberConfig{
		AWSConfig:                   q.aws,
		OptFns:                      []func(*sqs.Options){q.leasing},
		DoNotCreateQueueIfNotExists: true,
		QueueUrlResolver:            resolver{q},
		Unmarshaler:                 receipts{},
		ConsumeWorkers:              q.config.Concurrency,
		// One by one: after a nack watermill-aws forgets the rest of a batch.
		GenerateReceiveMessageInput: func(context.Context, watermillsqs.QueueURL) (*sqs.ReceiveMessageInput, error) {
			return &sqs.ReceiveMessageInput{
				QueueUrl: &q.address.queue, MaxNumberOfMessages: 1, MessageAttributeNames: []string{"All"},
				WaitTimeSeconds: int32(q.address.wait / time.Second),
			}, nil
		},
	}, watermill.NewSlogLogger(q.config.Log))
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", redacted(url), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("subscribe to %s: subscriber %w", redacted(url), ErrClosed)
	}
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.stopping, cancel)
	in, err := inner.Subscribe(ctx, q.address.queue) // it logs its topic, and ours may hold secrets
	if err != nil {
		cancel()
		return nil, fmt.Errorf("subscribe to %s: %w", redacted(url), err)
	}
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer cancel()
		defer unhook()
		var delivered sync.WaitGroup
		for m := range in {
			delivered.Go(func() { s.deliver(ctx, q, m, out) })
		}
		delivered.Wait()
		inner.Close() // it has ended by itself; this ends its goroutines
		close(out)
	})
	return out, nil
}

// Close stops intake at once, waits until every delivered message is acked or
// nacked (see Config.CloseTimeout) and SQS knows. A second Close only waits. The
// queues stay open.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	timer := time.AfterFunc(s.queues.config.CloseTimeout, s.expire)
	defer timer.Stop()
	s.running.Wait()
	s.expire()
	return nil
}

// deliver hands a message on under its lease, and settles it. inner is the
// message of watermill-aws, which waits for an answer before it receives the
// next; its context, which Close ends, is not used.
func (s *Subscriber) deliver(ctx context.Context, q *openQueue, inner *message.Message, out chan<- *message.Message) {
	lease := q.take(inner.Metadata.Get(metadataReceipt))
	if lease == nil {
		inner.Nack() // nobody holds it any more
		return
	}
	defer q.config.Watch.Begin(lease)()
	m := message.NewMessage(inner.UUID, inner.Payload)
	m.Metadata = maps.Clone(inner.Metadata)
	delete(m.Metadata, metadataReceipt)
	m.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(lease.Attempt()))
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
	m.SetContext(work)

	// SQS is told until it listens; when Close has waited long enough it has
	// one more moment.
	tell, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	defer context.AfterFunc(s.overdue, func() { time.AfterFunc(2*queue.SettleTime, quit) })()

	acked := false
	if s.stopping.Err() == nil && ctx.Err() == nil { // a consumer that is ready must not win
		select {
		case out <- m:
			acked = queue.Settled(m, s.overdue.Done(), func() { cancel(errors.New("subscriber closes")) })
		case <-ctx.Done(): // nobody has seen it: back at once
		case <-work.Done():
		}
	}
	var err error
	told := q.config.Watch.Settling(m, acked)
	if acked {
		err = lease.Ack(tell)
	} else {
		delay := q.config.NackDelay(lease.Attempt())
		if ctx.Err() != nil || s.stopping.Err() != nil {
			delay = 0 // somebody who stays can have it
		}
		err = lease.Nack(tell, delay)
	}
	told(err)
	if err != nil {
		q.config.Log.Warn("message may be delivered again", "queue", q.address.queue, "message_id", lease.id, "acked", acked, "err", err)
	}
	if acked && err == nil {
		inner.Ack()
	} else {
		inner.Nack()
	}
}

// metadataReceipt carries the receipt handle through watermill-aws.
const metadataReceipt = "sqs_receipt_handle"

// receipts is a marshaler whose messages carry their receipt handle.
type receipts struct{ marshaler }

func (r receipts) Unmarshal(m *types.Message) (*message.Message, error) {
	out, err := r.marshaler.Unmarshal(m)
	if err != nil {
		return nil, err
	}
	out.Metadata.Set(metadataReceipt, aws.ToString(m.ReceiptHandle))
	return out, nil
}
