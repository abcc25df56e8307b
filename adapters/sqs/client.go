package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	// answerTime is how long SQS has for an answer, beyond the time that it was
	// asked to wait; repetitions included. A connection that died silently would
	// have no end.
	answerTime = 30 * time.Second
	// leastVisibility is the visibility timeout with which extensions can fail for
	// some seconds without losing the lease.
	leastVisibility = 20 * time.Second
	// leastRetention is long enough to notice and to end an outage.
	leastRetention = 24 * time.Hour
	// defaultVisibility is SQS's own default.
	defaultVisibility = 30 * time.Second
)

// client talks to SQS about the queue of one URL.
type client struct {
	address address
	aws     aws.Config // renews its credentials
	sqs     *sqs.Client
	log     *slog.Logger

	visibility atomic.Int64 // a time.Duration
	warned     atomic.Bool
	limit      atomic.Int64 // maxReceiveCount of the redrive policy; 0: none
}

func (c *client) fifo() bool { return strings.HasSuffix(c.address.queue, ".fifo") }

// attributes reads one attribute of the queue, or all.
func (c *client) attributes(ctx context.Context, name types.QueueAttributeName) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	out, err := c.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &c.address.queue, AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// check reads the queue's attributes. The first time it warns of what will make
// trouble later: no redrive policy, a visibility timeout that is too short for the
// heartbeat, a scheme that does not fit the queue.
func (c *client) check(ctx context.Context) error {
	attributes, err := c.attributes(ctx, types.QueueAttributeNameAll)
	if err != nil {
		return c.explained(err)
	}
	visibility := c.address.visibility
	if visibility == 0 {
		seconds, _ := strconv.Atoi(attributes["VisibilityTimeout"]) // 0 if SQS does not say
		visibility = time.Duration(seconds) * time.Second
	}
	warn := c.log.With("queue", c.address.queue).Warn
	if c.warned.Swap(true) {
		warn = func(string, ...any) {}
	}
	if visibility < leastVisibility {
		warn("visibility timeout is too short: an extension that fails once or twice loses the message to another worker; set it to a few minutes, or visibility=2m in the URL",
			"visibility", visibility, "least", leastVisibility)
	}
	if visibility == 0 {
		visibility = defaultVisibility // a lease needs some time
	}
	c.visibility.Store(int64(visibility))

	limit := maxReceives(attributes["RedrivePolicy"])
	c.limit.Store(int64(limit))
	switch {
	case limit == 0:
		warn("queue has no redrive policy: a message that always fails is redelivered until it expires; give the queue a dead-letter queue")
	case limit == 1:
		warn("redrive policy has maxReceiveCount 1: a worker that stops or crashes sends its messages to the dead-letter queue; set it to 3 or more")
	}
	if seconds, err := strconv.Atoi(attributes["MessageRetentionPeriod"]); err == nil && time.Duration(seconds)*time.Second < leastRetention {
		warn("queue deletes messages after less than a day, also those that are not handled: set its retention period to longer than any outage", "retention", time.Duration(seconds)*time.Second)
	}
	if c.fifo() != c.address.ordered {
		if c.fifo() {
			warn("messages of a FIFO queue are handled out of order through awssqs://; use sqs:// for it")
		} else {
			warn("sqs:// keeps order on FIFO queues only; awssqs:// receives faster from this one")
		}
	}
	return nil
}

// DeliveryLimit implements queue.Limiter.
func (c *client) DeliveryLimit() int { return int(c.limit.Load()) }

// maxReceives returns the count of a redrive policy; 0 if it has none.
func maxReceives(policy string) int {
	var p struct {
		Max json.Number `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return 0
	}
	n, _ := strconv.Atoi(p.Max.String())
	return n
}

// bounded bounds each call of a client by time, repetitions included: gocloud and
// watermill-aws give calls no deadline.
func bounded(limit time.Duration) func(*sqs.Options) {
	return func(o *sqs.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Bound", func(
				ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				within, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				out, metadata, err := next.HandleInitialize(within, in)
				if err != nil && within.Err() != nil && ctx.Err() == nil {
					err = fmt.Errorf("no answer within %s: %w", limit, err)
				}
				return out, metadata, err
			}), middleware.After)
		})
	}
}
