// Package sqs holds messages of SQS queues by lease, and makes such queues
// Watermill publishers and subscribers.
//
// A lease starts when a message is received and a heartbeat extends the
// message's visibility until it is acked (deleted, and the deletion seen to be
// done), nacked (visible again after a delay) or lost. So a queue can have a
// visibility timeout of minutes, which is how soon the work of a worker that
// crashed is taken over, and work can take hours.
//
// A queue is named by its URL with one of two schemes instead of https:
//
//	awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects
//	sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo
//
// awssqs is read through gocloud.dev ([Queues.OpenSubscription] and
// [Queues.Lease], as hooks of a gocloud subscriber): many messages at a time, in no
// order. sqs is read through watermill-aws ([Subscriber]): one message at a
// time of each message group of a FIFO queue, in order. [Publisher] sends to both.
//
// Parameters of these URLs are visibility (how far a heartbeat extends, as in
// 2m; default: the queue's own timeout), waittime (of a long poll; default
// 20s), raw (false: awssqs takes SNS's envelope off), and those of
// gocloud.dev/aws, of which region and profile are the most used. The region
// defaults to the one in the host. Credentials, and an endpoint other than
// AWS's (AWS_ENDPOINT_URL), come from the SDK's default chain.
//
// Message attributes are the metadata of a received message, byte for byte as
// they were sent, and whatever type they have: a number is its text, and a
// binary attribute x is x.base64 ([SuffixBinary]). gocloud's escapes are taken
// for what they stand for only inside SNS's envelope (raw=false).
//
// Credentials that SQS does not accept any more are asked for anew.
//
// Queues are never created.
package sqs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	gcaws "gocloud.dev/aws"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The schemes of queue URLs.
const (
	SchemeParallel = "awssqs"
	SchemeOrdered  = "sqs"
)

// Traits are the traits of SQS queues.
var Traits = queue.Traits{
	Schemes: []queue.Scheme{
		{Name: SchemeParallel, Example: "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects"},
		{Name: SchemeOrdered, Example: "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo (in order)"},
	},
	CountsDeliveries: true,
	OwnTopic:         true,
	DelaysNacks:      true,
	NackDelay:        Backoff,
}

// Config is the configuration of [Queues]. The zero value is the default.
type Config struct {
	// Concurrency is how many messages of one URL are held at most; nothing is
	// received beyond it. It must not be more than the consumer works on at a
	// time. Default 4.
	Concurrency int
	// NackDelay is how long a message that was nacked by a consumer of a
	// [Subscriber] on its nth delivery stays invisible. With sqs:// its message
	// group waits. Default: about 2 s, doubled each time, up to about 5 min.
	NackDelay func(attempt int) time.Duration
	// CloseTimeout is how long a [Subscriber]'s Close waits for messages in
	// flight before it cancels their contexts. Default 1 min.
	CloseTimeout time.Duration
	// LoadConfig returns the SDK's configuration for the parameters of a queue
	// URL. Default: the SDK's default chain.
	LoadConfig func(ctx context.Context, parameters url.Values) (aws.Config, error)
	Watch      pipeline.LeaseWatch // of a [Subscriber]'s messages
	Log        *slog.Logger        // default: discarded
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Concurrency < 0 {
		faults = append(faults, errors.New("concurrency is negative"))
	}
	if c.CloseTimeout < 0 {
		faults = append(faults, errors.New("close timeout is negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Concurrency == 0 {
		c.Concurrency = 4
	}
	if c.NackDelay == nil {
		c.NackDelay = Backoff
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = time.Minute
	}
	if c.LoadConfig == nil {
		c.LoadConfig = gcaws.V2ConfigFromURLParams
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Backoff is how long a message stays invisible after it was nacked on its nth
// delivery: about 2 s at first, doubled each time, up to about 5 min.
func Backoff(attempt int) time.Duration {
	return backoff(attempt, 2*time.Second, 5*time.Minute)
}

// backoff returns first, doubled with each attempt up to longest, give or take
// an eighth.
func backoff(attempt int, first, longest time.Duration) time.Duration {
	d := min(first<<min(max(attempt-1, 0), 16), longest)
	return d - d/8 + rand.N(d/4+1)
}

// sleep waits and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
