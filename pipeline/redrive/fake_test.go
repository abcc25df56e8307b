package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// broker is a driver of queues in memory. A message that is given back comes first again, as in RabbitMQ.
type broker struct {
	mu      sync.Mutex
	queues  map[string][]*stored // by URL
	leased  map[*stored]bool
	changed chan struct{}
	opens   int

	sending  func(url string, m *message.Message) error // before a message is stored
	acking   func(body string) error
	receives func() error
	sent     func(*stored) // after it was stored
	traits   queue.Traits
}

type stored struct {
	id, body string
	metadata map[string]string
	at       time.Time
	attempt  int
}

func newBroker() *broker {
	return &broker{
		queues: make(map[string][]*stored), leased: make(map[*stored]bool), changed: make(chan struct{}),
		traits: queue.Traits{Schemes: []queue.Scheme{{Name: "fake"}}},
	}
}

func (b *broker) Traits() queue.Traits { return b.traits }

func (b *broker) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	close(b.changed)
	b.changed = make(chan struct{})
}

// put adds a message; its id is its body unless metadata have one.
func (b *broker) put(url, body string, metadata map[string]string) {
	b.change(func() {
		b.queues[url] = append(b.queues[url], &stored{id: "id of " + body, body: body, metadata: metadata, at: time.Now()})
	})
}

// bodies returns what a queue has, in order.
func (b *broker) bodies(url string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	bodies := []string{}
	for _, m := range b.queues[url] {
		bodies = append(bodies, m.body)
	}
	return bodies
}

type topic struct {
	b   *broker
	url string
}

func (b *broker) OpenTopic(_ context.Context, url string) (queue.Topic, error) {
	return topic{b, url}, nil
}

func (t topic) Send(_ context.Context, m *message.Message) error {
	if t.b.sending != nil {
		if err := t.b.sending(t.url, m); err != nil {
			return err
		}
	}
	s := &stored{id: m.UUID, body: string(m.Payload), metadata: maps.Clone(m.Metadata), at: time.Now()}
	t.b.change(func() { t.b.queues[t.url] = append(t.b.queues[t.url], s) })
	if t.b.sent != nil {
		t.b.sent(s)
	}
	return nil
}

func (topic) Close() error { return nil }

type open struct {
	b    *broker
	url  string
	held map[*stored]bool
}

func (b *broker) OpenQueue(_ context.Context, url string, _ int) (queue.Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opens++
	return &open{b: b, url: url, held: make(map[*stored]bool)}, nil
}

func (q *open) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	for {
		if q.b.receives != nil {
			if err := q.b.receives(); err != nil {
				return nil, err
			}
		}
		q.b.mu.Lock()
		changed := q.b.changed
		var got []queue.Delivery
		for _, m := range q.b.queues[q.url] {
			if q.b.leased[m] || len(got) == n {
				continue
			}
			q.b.leased[m], q.held[m] = true, true
			m.attempt++
			out := message.NewMessage(m.id, []byte(m.body))
			maps.Copy(out.Metadata, m.metadata)
			got = append(got, queue.Delivery{Message: out, Lease: queue.Hold(handle{q, m}, m.attempt, 0), Sent: m.at})
		}
		q.b.mu.Unlock()
		if len(got) > 0 {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close gives back what is held.
func (q *open) Close() error {
	q.b.change(func() {
		for m := range q.held {
			delete(q.b.leased, m)
		}
	})
	return nil
}

type handle struct {
	q *open
	m *stored
}

func (handle) Extend(context.Context, time.Duration) error { return nil }

func (h handle) Ack(context.Context) error {
	if h.q.b.acking != nil {
		if err := h.q.b.acking(h.m.body); err != nil {
			if errors.Is(err, pipeline.ErrLeaseLost) {
				h.q.b.change(func() { delete(h.q.b.leased, h.m) })
			}
			return err
		}
	}
	h.q.b.change(func() {
		delete(h.q.b.leased, h.m)
		delete(h.q.held, h.m)
		h.q.b.queues[h.q.url] = slices.DeleteFunc(h.q.b.queues[h.q.url], func(m *stored) bool { return m == h.m })
	})
	return nil
}

func (h handle) Nack(context.Context, time.Duration) error {
	h.q.b.change(func() {
		delete(h.q.b.leased, h.m)
		delete(h.q.held, h.m)
	})
	return nil
}

// decode reads bodies such as "bucket/key other/key".
func decode(body []byte, _ map[string]string) (events []pipeline.Event, err error) {
	var bucket, key string
	if _, err := fmt.Sscanf(string(body), "%s %s", &bucket, &key); err != nil {
		return nil, pipeline.Permanent(err)
	}
	return []pipeline.Event{{Object: pipeline.Object{Bucket: bucket, Key: key}}}, nil
}
