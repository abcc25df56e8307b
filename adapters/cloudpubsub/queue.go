package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"gocloud.dev/pubsub"
)

// queue is what one URL names: a subscription that lives, and those that died
// but have messages in flight. Acks go through the subscription that delivered
// the message.
type queue struct {
	url    string
	config Config
	slots  chan struct{} // one element for each message in flight

	mu       sync.Mutex
	live     *subscription
	retiring sync.WaitGroup
}

// subscription is a gocloud subscription and its messages in flight.
type subscription struct {
	*pubsub.Subscription
	inFlight sync.WaitGroup
	end      func() error // sends acks and closes; once, the first error stays
}

func newSubscription(s *pubsub.Subscription) *subscription {
	return &subscription{Subscription: s, end: sync.OnceValue(func() error {
		err := s.Shutdown(context.Background())
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})}
}

func (q *queue) current() *subscription {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.live
}

// replace returns the live subscription, after opening one if there is none but
// dead. dead is closed when the last of its messages is settled.
func (q *queue) replace(ctx context.Context, dead *subscription) (*subscription, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live != dead {
		return q.live, nil // somebody else was faster
	}
	// gocloud's in-memory queue is made by its topic.
	if u, err := url.Parse(q.url); err == nil && u.Scheme == "mem" {
		u.RawQuery = ""
		if _, err := q.config.OpenTopic(ctx, u.String()); err != nil {
			return nil, fmt.Errorf("open topic %s: %w", redacted(q.url), err)
		}
	}
	fresh, err := q.config.OpenSubscription(ctx, q.url)
	if err != nil {
		return nil, fmt.Errorf("open subscription %s: %w", redacted(q.url), err)
	}
	if dead != nil {
		q.retiring.Go(func() {
			if err := dead.shutdown(); err != nil {
				q.config.Log.Warn("dead subscription closed with an error", "queue", redacted(q.url), "err", err)
			}
		})
	}
	q.live = newSubscription(fresh)
	return q.live, nil
}

// close closes the subscriptions when the last of their messages is settled.
func (q *queue) close() error {
	err := q.current().shutdown()
	q.retiring.Wait()
	if err != nil {
		return fmt.Errorf("close subscription %s: %w", redacted(q.url), err)
	}
	return nil
}

// nack gives the message back. Where a queue has no nack, the end of the
// message's lease does the same.
func (s *subscription) nack(m *pubsub.Message) {
	if m.Nackable() {
		m.Nack()
	}
}

// shutdown waits for the messages in flight, sends their acks and closes.
func (s *subscription) shutdown() error {
	s.inFlight.Wait()
	return s.end()
}

// redacted returns the URL without its query and password, for logs and errors.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}
