package sqs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Count asks how many messages the queue of a URL has, including those that are in flight or delayed. SQS says that
// its numbers are approximate, and right about a minute after senders and receivers have stopped
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
func (d *Driver) Count(ctx context.Context, url string) (queue.Count, error) {
	c, err := d.client(ctx, url)
	if err != nil {
		return queue.Count{}, err
	}
	attributes, err := c.attributes(ctx, types.QueueAttributeNameAll)
	if err != nil {
		return queue.Count{}, c.explained(err)
	}
	var n [3]int
	for i, name := range []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	} {
		if n[i], err = strconv.Atoi(attributes[string(name)]); err != nil {
			return queue.Count{}, fmt.Errorf("queue %s does not tell %s", c.address.queue, name)
		}
	}
	return queue.Count{Waiting: n[0], Held: n[1] + n[2]}, nil
}
