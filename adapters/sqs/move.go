package sqs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// moveInterval is the time between two looks at a task.
const moveInterval = 2 * time.Second

// Move lets SQS move all messages of a dead-letter queue by a message move task
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html). SQS can do so
// only from a queue that is the dead-letter queue of another, within a region and an account; it moves what is visible,
// with all attributes. The error wraps errors.ErrUnsupported if SQS refuses the task. If ctx ends, the task is cancelled.
func (d *Driver) Move(ctx context.Context, from, to string, told func(moved int)) (moved int, err error) {
	source, err := d.client(ctx, from)
	if err != nil {
		return 0, err
	}
	target, err := d.client(ctx, to)
	if err != nil {
		return 0, err
	}
	var arns [2]string
	for i, c := range []*client{source, target} {
		attributes, err := c.attributes(ctx, types.QueueAttributeNameQueueArn)
		if err != nil {
			return 0, fmt.Errorf("%w: the name of queue %s is not known: %w", errors.ErrUnsupported, c.address.queue, err)
		}
		arns[i] = attributes[string(types.QueueAttributeNameQueueArn)]
	}
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	task, err := source.sqs.StartMessageMoveTask(within, &sqs.StartMessageMoveTaskInput{SourceArn: &arns[0], DestinationArn: &arns[1]})
	if ctx.Err() != nil && err != nil {
		return 0, ctx.Err()
	}
	if err != nil { // it is no dead-letter queue, a task runs already, a permission is missing, or this is not AWS
		return 0, fmt.Errorf("%w: SQS moves nothing from %s to %s: %w", errors.ErrUnsupported, arns[0], arns[1], err)
	}
	stop := context.AfterFunc(ctx, func() { source.cancelMove(context.WithoutCancel(ctx), aws.ToString(task.TaskHandle)) })
	defer stop()
	moved, err = source.follow(context.WithoutCancel(ctx), arns[0], told)
	if ctx.Err() != nil && !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	return moved, err
}

// cancelMove cancels a task. Messages that it has moved stay where they are.
func (c *client) cancelMove(ctx context.Context, handle string) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if _, err := c.sqs.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle}); err != nil {
		c.log.Debug("the message move task was not cancelled; it may have ended", "queue", c.address.queue, "err", err)
	}
}

// follow looks at the newest task of a queue until it has ended.
func (c *client) follow(ctx context.Context, arn string, told func(moved int)) (moved int, err error) {
	for failures := 0; ; {
		task, err := c.task(ctx, arn)
		if err != nil {
			if failures++; failures == 5 {
				return moved, fmt.Errorf("ask how far the move from %s is, which continues without us: %w", arn, err)
			}
		} else {
			failures, moved = 0, int(task.ApproximateNumberOfMessagesMoved)
			told(moved)
			switch status := aws.ToString(task.Status); status {
			case "RUNNING", "CANCELLING":
			case "COMPLETED":
				return moved, nil
			case "CANCELLED":
				return moved, errors.New("the move was cancelled")
			default:
				return moved, fmt.Errorf("SQS ended the move from %s as %s: %s", arn, status, aws.ToString(task.FailureReason))
			}
		}
		backoff.Sleep(ctx, moveInterval)
	}
}

// task returns the newest task of a queue.
func (c *client) task(ctx context.Context, arn string) (types.ListMessageMoveTasksResultEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	out, err := c.sqs.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: aws.Int32(1)})
	if err != nil {
		return types.ListMessageMoveTasksResultEntry{}, err
	}
	if len(out.Results) == 0 {
		return types.ListMessageMoveTasksResultEntry{}, errors.New("SQS does not know the task")
	}
	return out.Results[0], nil
}
