package sqs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/pubsub/batcher"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// heldFor is how long SQS lets a message be held in total, from its receive and
	// however often its visibility is extended.
	heldFor = 12 * time.Hour
	// callTimeout bounds one call that settles messages.
	callTimeout = 10 * time.Second
)

// batching makes a call as soon as there is an entry. While calls are under way,
// further entries collect for the next one. So an entry never waits when little
// happens, and calls have ten entries when much does.
var batching = &batcher.Options{MaxBatchSize: maxBatch, MaxHandlers: 4}

// settler deletes messages and changes their visibility, in batches.
type settler struct {
	c                *client
	deletes, changes *batcher.Batcher
}

// change is one entry of a batch: a message that is to be deleted or to become
// visible later.
type change struct {
	ctx        context.Context // of the caller
	receipt    string
	visibility time.Duration
	err        error // set before its batch is done
}

var errNoAnswer = errors.New("SQS did not say what became of the batch entry")

func (c *client) newSettler() *settler {
	s := &settler{c: c}
	s.deletes = batcher.New(reflect.TypeFor[*change](), batching, s.sendDeletes)
	s.changes = batcher.New(reflect.TypeFor[*change](), batching, s.sendChanges)
	return s
}

func (s *settler) close() {
	s.deletes.Shutdown()
	s.changes.Shutdown()
}

// hold starts the lease on a message that was just received.
func (s *settler) hold(m *types.Message, visibility time.Duration) *queue.Lease {
	attempt, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // 0 if SQS does not say
	return queue.HoldAtMost(&handle{s, aws.ToString(m.ReceiptHandle)}, max(attempt, 1), visibility, heldFor)
}

// sentAt returns when SQS got a message; zero if it does not say.
func sentAt(m *types.Message) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// handle settles one message.
type handle struct {
	s       *settler
	receipt string
}

// Extend implements queue.Handle.
func (h *handle) Extend(ctx context.Context, period time.Duration) error {
	return lost(add(ctx, h.s.changes, &change{ctx: ctx, receipt: h.receipt, visibility: period}))
}

// Ack implements queue.Handle. The work is done: SQS deletes the message.
func (h *handle) Ack(ctx context.Context) error {
	return lost(add(ctx, h.s.deletes, &change{ctx: ctx, receipt: h.receipt}))
}

// Nack implements queue.Handle. The work is not done: SQS shows the message again
// after whole seconds. If SQS has taken it back already, that is as good.
func (h *handle) Nack(ctx context.Context, delay time.Duration) error {
	err := add(ctx, h.s.changes, &change{ctx: ctx, receipt: h.receipt, visibility: delay.Round(time.Second)})
	if isGone(err) {
		return nil
	}
	return err
}

func lost(err error) error {
	if isGone(err) {
		return fmt.Errorf("%w: %w", pipeline.ErrLeaseLost, err)
	}
	return err
}

func add(ctx context.Context, b *batcher.Batcher, c *change) error {
	if err := b.Add(ctx, c); err != nil {
		return err
	}
	return c.err
}

// once turns the SDK's own repetitions off: the lease knows for how long trying is
// worth it.
func once(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }

// wanted drops the changes that their callers have given up while they collected.
// While SQS does not answer they would pile up, hold Close up, and in the end undo what
// came after them.
func wanted(changes []*change) []*change {
	return slices.DeleteFunc(changes, func(c *change) bool {
		c.err = c.ctx.Err()
		return c.err != nil
	})
}

func (s *settler) sendDeletes(items any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	changes := wanted(items.([]*change))
	if len(changes) == 0 {
		return nil
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &s.c.address.queue}
	for i, c := range changes {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &c.receipt})
	}
	out, err := s.c.sqs.DeleteMessageBatch(ctx, in, once)
	if err != nil {
		return err
	}
	done := make([]*string, len(out.Successful))
	for i, entry := range out.Successful {
		done[i] = entry.Id
	}
	outcome(changes, done, out.Failed)
	return nil
}

func (s *settler) sendChanges(items any) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	changes := wanted(items.([]*change))
	if len(changes) == 0 {
		return nil
	}
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &s.c.address.queue}
	for i, c := range changes {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &c.receipt, VisibilityTimeout: seconds(c.visibility),
		})
	}
	out, err := s.c.sqs.ChangeMessageVisibilityBatch(ctx, in, once)
	if err != nil {
		return err
	}
	done := make([]*string, len(out.Successful))
	for i, entry := range out.Successful {
		done[i] = entry.Id
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
		set(f.Id, &smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message)})
	}
}
