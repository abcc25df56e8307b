package sqs

import (
	"context"
	"errors"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/pubsub/batcher"
)

// batching: a call goes out as soon as there is something to say, and while
// some are under way the rest collects for the next. So nothing waits when
// little happens, and calls have ten entries when much does.
var batching = &batcher.Options{MaxBatchSize: 10, MaxHandlers: 4}

// change is one entry of a batch: a message that is to be deleted or to become
// visible later.
type change struct {
	handle     string
	visibility time.Duration
	err        error // set before its batch is done
}

var errNoAnswer = errors.New("SQS did not say what became of the batch entry")

func (q *openQueue) newBatchers() (deletes, changes *batcher.Batcher) {
	return batcher.New(reflect.TypeFor[*change](), batching, q.sendDeletes),
		batcher.New(reflect.TypeFor[*change](), batching, q.sendChanges)
}

// delete deletes a message; nil: it is deleted.
func (q *openQueue) delete(ctx context.Context, handle string) error {
	return add(ctx, q.deletes, &change{handle: handle})
}

// change makes a message visible after a number of whole seconds from now.
func (q *openQueue) change(ctx context.Context, handle string, visibility time.Duration) error {
	return add(ctx, q.changes, &change{handle: handle, visibility: visibility})
}

func add(ctx context.Context, b *batcher.Batcher, c *change) error {
	if err := b.Add(ctx, c); err != nil {
		return err
	}
	return c.err
}

// once makes one attempt: leases know how long it is worth trying, the SDK does
// not.
func once(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }

func (q *openQueue) sendDeletes(items any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	changes := items.([]*change)
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.address.queue}
	for i, c := range changes {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &c.handle})
	}
	out, err := q.client.DeleteMessageBatch(ctx, in, once)
	if err != nil {
		return err
	}
	done := make([]*string, len(out.Successful))
	for i, s := range out.Successful {
		done[i] = s.Id
	}
	outcome(changes, done, out.Failed)
	return nil
}

func (q *openQueue) sendChanges(items any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	changes := items.([]*change)
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.address.queue}
	for i, c := range changes {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &c.handle, VisibilityTimeout: int32(c.visibility / time.Second),
		})
	}
	out, err := q.client.ChangeMessageVisibilityBatch(ctx, in, once)
	if err != nil {
		return err
	}
	done := make([]*string, len(out.Successful))
	for i, s := range out.Successful {
		done[i] = s.Id
	}
	outcome(changes, done, out.Failed)
	return nil
}

func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

// outcome tells each entry what became of it.
func outcome(changes []*change, done []*string, failed []types.BatchResultErrorEntry) {
	for _, c := range changes {
		c.err = errNoAnswer
	}
	set := func(id *string, err error) {
		if i, e := strconv.Atoi(aws.ToString(id)); e == nil && i >= 0 && i < len(changes) {
			changes[i].err = err
		}
	}
	for _, id := range done {
		set(id, nil)
	}
	for _, f := range failed {
		set(f.Id, &entryError{code: aws.ToString(f.Code), message: aws.ToString(f.Message), sender: f.SenderFault})
	}
}
