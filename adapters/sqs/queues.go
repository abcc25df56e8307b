package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"
	"golang.org/x/sync/semaphore"

	"github.com/bucketsum/bucketsum/pipeline"
)

// enoughVisibility is what a visibility timeout must have so that a heartbeat can fail
// for some seconds without losing the lease.
const enoughVisibility = 20 * time.Second

// Queues are the SQS queues of a program and the leases on their messages. Safe
// for concurrent use.
type Queues struct {
	config Config

	mu     sync.Mutex
	queues map[string]*openQueue // by the URL that we were given
	closed bool
}

// New returns queues, none of them open.
func New(c Config) (*Queues, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("sqs: %w", err)
	}
	return &Queues{config: c.withDefaults(), queues: make(map[string]*openQueue)}, nil
}

// openQueue is one queue and the leases on its messages.
type openQueue struct {
	config  Config
	address address
	aws     aws.Config  // renews its credentials
	client  *sqs.Client // does nothing about leases
	slots   *semaphore.Weighted
	deletes *batcher.Batcher
	changes *batcher.Batcher
	keeping sync.WaitGroup // one for each lease

	visibility atomic.Int64 // a time.Duration
	warned     atomic.Bool
	streak     streak // of receives through watermill-aws

	mu     sync.Mutex
	leases map[string]*lease // by receipt handle
	closed bool
}

func (q *openQueue) fifo() bool { return strings.HasSuffix(q.address.queue, ".fifo") }

// Open checks that the queue is there and may be read. It warns of what will
// make trouble later: no redrive policy, a visibility that is too short for the
// heartbeat, a scheme that does not fit the queue.
func (s *Queues) Open(ctx context.Context, url string) error {
	q, err := s.queue(ctx, url)
	if err != nil {
		return err
	}
	return q.check(ctx)
}

// queue returns the queue that a URL names. It asks SQS nothing.
func (s *Queues) queue(ctx context.Context, url string) (*openQueue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("queue %s: %w", redacted(url), ErrClosed)
	}
	if q := s.queues[url]; q != nil {
		return q, nil
	}
	a, err := parseAddress(url)
	if err != nil {
		return nil, err
	}
	cfg, err := s.config.LoadConfig(ctx, a.sdk)
	if err != nil {
		return nil, fmt.Errorf("queue %s: AWS configuration: %w", a.queue, err)
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("queue %s: no region: add region=… to its URL or set AWS_REGION", a.queue)
	}
	cfg.Logger = sdkLog{s.config.Log}
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), renewing(cfg.Credentials))
	q := &openQueue{
		config: s.config, address: a, aws: cfg,
		client: sqs.NewFromConfig(cfg),
		slots:  semaphore.NewWeighted(int64(s.config.Concurrency)),
		leases: make(map[string]*lease),
	}
	q.visibility.Store(int64(30 * time.Second)) // SQS's default, until the queue says
	q.deletes, q.changes = q.newBatchers()
	s.queues[url] = q
	return q, nil
}

// attributes reads an attribute of the queue, or all.
func (q *openQueue) attributes(ctx context.Context, name types.QueueAttributeName) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.address.queue, AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// check reads the queue's attributes.
func (q *openQueue) check(ctx context.Context) error {
	attributes, err := q.attributes(ctx, types.QueueAttributeNameAll)
	if err != nil {
		return q.explained(err)
	}
	visibility := q.address.visibility
	if visibility == 0 {
		seconds, _ := strconv.Atoi(attributes["VisibilityTimeout"]) // 0 if SQS does not say
		visibility = time.Duration(seconds) * time.Second
	}
	warn := q.config.Log.With("queue", q.address.queue).Warn
	if q.warned.Swap(true) {
		warn = func(string, ...any) {}
	}
	if visibility < enoughVisibility {
		warn("visibility timeout is too short: a heartbeat that fails once or twice loses the message to another worker; set it to a few minutes, or visibility=2m in the URL",
			"visibility", visibility, "least", enoughVisibility)
	}
	if visibility == 0 {
		visibility = 30 * time.Second // a lease of no time is none
	}
	q.visibility.Store(int64(visibility))

	switch raw := attributes["RedrivePolicy"]; {
	case raw == "":
		warn("queue has no redrive policy: a message that can never be handled comes back for ever; give it a dead-letter queue")
	case maxReceives(raw) == 1:
		warn("redrive policy has maxReceiveCount 1: a worker that stops or crashes sends its messages to the dead-letter queue; set it to 3 or more")
	}
	if q.fifo() != q.address.ordered {
		if q.fifo() {
			warn("messages of a FIFO queue are handled out of order through awssqs://; use sqs:// for it")
		} else {
			warn("sqs:// keeps order on FIFO queues only; awssqs:// receives faster from this one")
		}
	}
	return nil
}

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

// OpenSubscription checks an awssqs:// queue and opens a subscription to it
// whose messages are held by leases: take them with Lease, and settle them with
// that. gocloud's own Ack and Nack must not be relied on: Nack does nothing.
func (s *Queues) OpenSubscription(ctx context.Context, url string) (*pubsub.Subscription, error) {
	q, err := s.queue(ctx, url)
	if err != nil {
		return nil, err
	}
	if q.address.ordered {
		return nil, fmt.Errorf("queue %s: only %s:// is read through gocloud", redacted(url), SchemeParallel)
	}
	if err := q.check(ctx); err != nil {
		return nil, err
	}
	client := sqs.NewFromConfig(q.aws, q.leasing)
	options := &awssnssqs.SubscriptionOptions{Raw: q.address.raw, NackLazy: true, WaitTime: q.address.wait}
	// One receive at a time: how many messages it may bring is decided when it
	// is sent, see receive.
	options.ReceiveBatcherOptions = batcher.Options{MaxBatchSize: min(10, q.config.Concurrency), MaxHandlers: 1}
	return awssnssqs.OpenSubscription(ctx, client, q.address.queue, options), nil
}

// Lease returns the lease on a message of a subscription that OpenSubscription
// opened for the URL. Each message can be taken once; ErrLeaseLost if the lease
// has ended before.
func (s *Queues) Lease(ctx context.Context, url string, m *pubsub.Message) (pipeline.Lease, error) {
	q, err := s.queue(ctx, url)
	if err != nil {
		return nil, err
	}
	var received types.Message
	if !m.As(&received) {
		return nil, fmt.Errorf("message %s is not of queue %s", m.LoggableID, redacted(url))
	}
	l := q.take(aws.ToString(received.ReceiptHandle))
	if l == nil {
		return nil, fmt.Errorf("message %s waited too long to be taken: %w", m.LoggableID, pipeline.ErrLeaseLost)
	}
	return l, nil
}

// Close makes every message that is still held visible at once, and ends its
// lease. Close what reads the queues first.
func (s *Queues) Close() error {
	s.mu.Lock()
	s.closed = true
	queues := slices.Collect(maps.Values(s.queues))
	clear(s.queues)
	s.mu.Unlock()
	errs := make([]error, len(queues))
	var closing sync.WaitGroup
	for i, q := range queues {
		closing.Go(func() { errs[i] = q.close() })
	}
	closing.Wait()
	return errors.Join(errs...)
}

func (q *openQueue) close() error {
	q.mu.Lock()
	q.closed = true
	held := slices.Collect(maps.Values(q.leases))
	q.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var (
		releasing sync.WaitGroup
		errs      = make([]error, len(held))
	)
	for i, l := range held {
		releasing.Go(func() {
			if err := l.Nack(ctx, 0); err != nil && !errors.Is(err, errSettled) && !errors.Is(err, pipeline.ErrLeaseLost) {
				errs[i] = fmt.Errorf("give message %s back: %w", l.id, err)
			}
		})
	}
	releasing.Wait()
	q.keeping.Wait()
	q.deletes.Shutdown()
	q.changes.Shutdown()
	return errors.Join(errs...)
}
