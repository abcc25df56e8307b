package sqs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
)

// answerTime is how long SQS has for an answer, beyond the time that it was asked
// to wait; repetitions included. A connection that died silently would have no end.
const answerTime = 30 * time.Second

// leasing makes a client hold what it receives. It is where leases start, because
// nothing else sees a message before it waits in somebody's buffer, with its
// visibility running out.
func (q *openQueue) leasing(o *sqs.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Lease", q.intercept), middleware.Before)
	})
}

func (q *openQueue) intercept(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	switch p := in.Parameters.(type) {
	case *sqs.ReceiveMessageInput:
		out, metadata, err = q.receive(ctx, *p, in, next)
		if !q.address.ordered {
			return out, metadata, err // its reader waits by itself
		}
		if err == nil {
			q.recovered()
			return out, metadata, nil
		}
		if !q.backOff(ctx, err) {
			return out, metadata, ctx.Err()
		}
		// watermill-aws would log an error each time, and ask again in a second.
		return middleware.InitializeOutput{Result: &sqs.ReceiveMessageOutput{}}, metadata, nil
	case *sqs.DeleteMessageInput:
		// The end of the lease has deleted it, see Subscriber.
		return middleware.InitializeOutput{Result: &sqs.DeleteMessageOutput{}}, metadata, nil
	default:
		return next.HandleInitialize(ctx, in)
	}
}

// receive waits for a free slot, asks for as many messages as there are free
// slots, and holds what comes. So what was received never waits for a worker,
// however far its receiver reads ahead: other workers can have it.
func (q *openQueue) receive(
	ctx context.Context, p sqs.ReceiveMessageInput, in middleware.InitializeInput, next middleware.InitializeHandler,
) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	if err := q.slots.Acquire(ctx, 1); err != nil {
		return out, metadata, err
	}
	slots := int64(1)
	for slots < int64(p.MaxNumberOfMessages) && q.slots.TryAcquire(1) {
		slots++
	}
	defer func() { q.slots.Release(slots) }() // those that are still empty

	visibility := time.Duration(q.visibility.Load())
	p.MaxNumberOfMessages = int32(slots)
	p.VisibilityTimeout = int32(visibility / time.Second)
	//lint:ignore SA1019 gocloud sets it; the other one replaces it
	p.AttributeNames = nil
	p.MessageSystemAttributeNames = []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}
	in.Parameters = &p // the caller may use its own for other calls
	limit := time.Duration(p.WaitTimeSeconds)*time.Second + answerTime
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, metadata, err = next.HandleInitialize(limited, in)
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no answer within %s: %w", limit, err)
		}
		return out, metadata, err
	}
	result, ok := out.Result.(*sqs.ReceiveMessageOutput)
	if !ok {
		return out, metadata, fmt.Errorf("receive from %s: unexpected result %T", q.address.queue, out.Result)
	}
	for i := range result.Messages {
		m := &result.Messages[i]
		m.MessageAttributes = normalized(m.MessageAttributes)
		traced(m.MessageAttributes, m.Attributes)
		if !q.address.ordered {
			m.MessageAttributes = escaped(m.MessageAttributes)
		}
		if q.hold(m, visibility) {
			slots--
		}
	}
	return out, metadata, nil
}

// hold starts the lease on a message that was just received.
func (q *openQueue) hold(m *types.Message, visibility time.Duration) bool {
	attempt, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // 0 if SQS does not say
	l := newLease(q, aws.ToString(m.ReceiptHandle), aws.ToString(m.MessageId), max(attempt, 1), visibility)
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		l.settle()
		// Best effort; else it is visible when its time has run out.
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &q.address.queue, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0,
		})
		return false
	}
	defer q.mu.Unlock()
	q.leases[l.handle] = l
	q.keeping.Go(func() {
		l.keep()
		q.mu.Lock()
		delete(q.leases, l.handle)
		q.mu.Unlock()
		q.slots.Release(1)
	})
	return true
}

// take returns the lease of a receipt handle; nil if there is none, or it was
// taken before.
func (q *openQueue) take(handle string) *lease {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.leases[handle]
	if l == nil || l.ctx.Err() != nil || l.taken.Swap(true) {
		return nil
	}
	return l
}
