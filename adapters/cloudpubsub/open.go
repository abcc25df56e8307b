package cloudpubsub

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/mempubsub"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// memLease is how long a message is leased by default. The queue ends with the
// process, so no other worker waits for the end of a lease.
const memLease = 24 * time.Hour

// openSubscription also makes the topic, which must exist before the
// subscription, and bounds what gocloud fetches ahead.
func openSubscription(ctx context.Context, raw string) (*pubsub.Subscription, error) {
	u, lease, err := parse(raw)
	if err != nil {
		return nil, err
	}
	t, err := pubsub.DefaultURLMux().OpenTopicURL(ctx, u)
	if err != nil {
		return nil, err
	}
	return mempubsub.NewSubscriptionWithOptions(t, lease, &mempubsub.SubscriptionOptions{
		ReceiveBatcherOptions: batcher.Options{MaxHandlers: 1, MaxBatchSize: 1},
	}), nil
}

// parse returns the URL of the in-memory topic and the lease that raw asks for: one
// URL serves publishers and subscribers.
func parse(raw string) (topic *url.URL, lease time.Duration, err error) {
	u, query, err := queue.ParseURL(raw, "ackdeadline")
	if err != nil {
		return nil, 0, err
	}
	if u.Scheme != mempubsub.Scheme {
		return nil, 0, fmt.Errorf("unknown scheme %q; valid is %s://", u.Scheme, mempubsub.Scheme)
	}
	lease = memLease
	if s := query.Get("ackdeadline"); s != "" {
		if lease, err = time.ParseDuration(s); err != nil || lease <= 0 {
			return nil, 0, fmt.Errorf("ackdeadline %q is not a positive duration such as 90m", s)
		}
	}
	u.RawQuery = "" // gocloud refuses parameters
	return u, lease, nil
}

// OpenTopic implements queue.Driver.
func (Driver) OpenTopic(ctx context.Context, raw string) (queue.Topic, error) {
	u, _, err := parse(raw)
	if err != nil {
		return nil, err
	}
	t, err := pubsub.DefaultURLMux().OpenTopicURL(ctx, u)
	return topic{t}, err
}

// topic is a gocloud topic.
type topic struct{ t *pubsub.Topic }

// Send implements queue.Topic.
func (t topic) Send(ctx context.Context, m *message.Message) error {
	metadata := queue.Fold(m.UUID, m.Metadata, func(string, string) bool { return true })
	return t.t.Send(ctx, &pubsub.Message{Body: m.Payload, Metadata: metadata})
}

// Close implements queue.Topic. The topic stays open: other publishers send to
// the same one.
func (t topic) Close() error { return nil }
