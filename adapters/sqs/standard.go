package sqs

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// maxBatch is how many messages one call receives, deletes or changes at most.
	maxBatch = 10
	// batchBytes is about how many bytes of bodies one call is to receive: the SDK holds them several
	// times, and ten messages can have 10 MiB.
	batchBytes = 1 << 20
)

// standard receives through a gocloud subscription.
//
// gocloud fetches ahead in the background, as many messages as it expects to need.
// Each of its calls to SQS therefore waits for a demand: SQS is asked only while a
// Receive runs, and only for as many messages as that wants.
type standard struct {
	*client
	*settler
	sub     *pubsub.Subscription
	demands chan *demand // holds the demand that no call serves yet
	// affordable is how many messages like the last ones the next call may receive.
	affordable atomic.Int32
}

// demand is what one Receive wants.
type demand struct {
	ctx context.Context
	n   int
	// visibility is the one that the last call asked for.
	visibility time.Duration
	came       chan int // how many messages came, once; 0 if the demand is over without any
}

func (c *client) openStandard(ctx context.Context, concurrency int) *standard {
	q := &standard{client: c, settler: c.newSettler(), demands: make(chan *demand, 1)}
	q.affordable.Store(maxBatch)
	limited := sqs.NewFromConfig(c.aws, bounded(c.address.wait+answerTime), func(o *sqs.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Demand", q.onDemand), middleware.Before)
		})
	})
	q.sub = awssnssqs.OpenSubscription(ctx, limited, c.address.queue, &awssnssqs.SubscriptionOptions{
		Raw: c.address.raw, NackLazy: true, WaitTime: c.address.wait,
		ReceiveBatcherOptions: batcher.Options{MaxBatchSize: min(maxBatch, concurrency), MaxHandlers: 1},
	})
	return q
}

// Receive implements queue.Queue. It takes all messages that came for it out of
// gocloud's buffer, also those that came while ctx ended.
func (q *standard) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	d := &demand{ctx: ctx, n: min(n, maxBatch), came: make(chan int, 1)}
	q.demands <- d
	var got []queue.Delivery
	m, err := q.sub.Receive(ctx)
	if err == nil {
		got = append(got, q.delivery(m, d.visibility))
	}
	came := 0
	select {
	case <-q.demands: // no call serves it
	case came = <-d.came:
	}
	for len(got) < came {
		m, err = q.sub.Receive(context.WithoutCancel(ctx))
		if err != nil {
			return got, err
		}
		got = append(got, q.delivery(m, d.visibility))
	}
	if len(got) > 0 {
		return got, nil
	}
	return nil, err
}

// onDemand is middleware of the SDK: it holds gocloud's call back until there is a
// demand, and limits it to that.
func (q *standard) onDemand(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	ask, ok := in.Parameters.(*sqs.ReceiveMessageInput)
	if !ok {
		return next.HandleInitialize(ctx, in)
	}
	for {
		var d *demand
		select {
		case d = <-q.demands:
		case <-ctx.Done():
			return middleware.InitializeOutput{}, middleware.Metadata{}, ctx.Err()
		}
		limited := *ask // gocloud's own stays as it is
		limited.MaxNumberOfMessages = min(int32(d.n), q.affordable.Load())
		d.visibility = q.visibilityTime() // it may change during the call
		limited.VisibilityTimeout = seconds(d.visibility)
		limited.WaitTimeSeconds = seconds(d.wait(q.address.wait))
		//lint:ignore SA1019 gocloud sets it; the other one replaces it
		limited.AttributeNames = nil
		limited.MessageSystemAttributeNames = []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}
		in.Parameters = &limited
		wanted, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(d.ctx, func() {
			if d.ctx.Err() != context.DeadlineExceeded {
				cancel()
			} // else the call ends by itself, see wait
		})
		out, metadata, err := next.HandleInitialize(wanted, in)
		stop()
		cancel()
		received, _ := out.Result.(*sqs.ReceiveMessageOutput)
		switch {
		case err == nil && received != nil && len(received.Messages) > 0:
			q.affordable.Store(affordable(received.Messages))
			d.came <- len(received.Messages)
			return out, metadata, nil
		case d.ctx.Err() != nil:
			d.came <- 0 // the next demand takes this call
		case err != nil:
			d.came <- 0
			return out, metadata, err
		default:
			q.demands <- d // gocloud asks again
			return out, metadata, nil
		}
	}
}

// wait returns how long the long poll of a demand is to be: no longer than until its deadline, rounded up to a second.
// A call that is interrupted instead may still receive messages at the server. They would be hidden for the time of their
// visibility, also those that this process has just given back.
func (d *demand) wait(most time.Duration) time.Duration {
	deadline, ok := d.ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, max(time.Second, time.Until(deadline)+time.Second-1))
}

// affordable returns how many messages of the size of these have batchBytes, from 1 to maxBatch.
func affordable(messages []types.Message) int32 {
	n := 1
	for _, m := range messages {
		n += len(aws.ToString(m.Body))
	}
	return int32(max(1, min(maxBatch, len(messages)*batchBytes/n)))
}

// delivery returns a message of gocloud's under its lease.
func (q *standard) delivery(m *pubsub.Message, visibility time.Duration) queue.Delivery {
	var raw types.Message
	m.As(&raw)
	// With NackLazy gocloud makes no call: it only forgets the message, which is
	// settled by its receipt handle.
	m.Nack()
	body := m.Body // not a further copy of up to 1 MiB
	if len(raw.MessageAttributes) > 0 && string(body) != aws.ToString(raw.Body) {
		body = []byte(aws.ToString(raw.Body)) // gocloud has decoded it for an attribute of its own
	}
	out := received(&raw, body)
	if !q.address.raw && len(raw.MessageAttributes) == 0 {
		// There may have been an SNS envelope, which gocloud has removed.
		enveloped(out, m.Metadata)
	}
	return queue.Delivery{Message: out, Lease: q.hold(&raw, visibility), Sent: sentAt(&raw)}
}

// Close implements queue.Queue.
func (q *standard) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	// A goroutine of gocloud's (v0.49) that brought messages waits without end until
	// a Receive notices, and one that found them in the buffer did not. This one
	// notices, and brings nothing, since there is no demand.
	brief, stop := context.WithTimeout(ctx, 200*time.Millisecond) // 10 ms were too few on a busy machine
	defer stop()
	_, _ = q.sub.Receive(brief)
	err := q.sub.Shutdown(ctx)
	q.settler.close()
	return err
}

func (c *client) visibilityTime() time.Duration { return time.Duration(c.visibility.Load()) }

func seconds(d time.Duration) int32 { return int32(d / time.Second) }
