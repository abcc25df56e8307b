package pipeline_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// queue is an at-least-once queue in memory and its subscriber. It delivers all messages at once, counts deliveries,
// and redelivers a nacked message after redeliveryDelay. The contexts of messages derive from that of Subscribe.
type queue struct {
	subscribeErr error // returned by Subscribe
	closeErr     error // returned by Close

	stopOnce sync.Once
	stopping chan struct{} // closed by Close
	arrived  chan struct{} // has an element if messages may be waiting
	running  sync.WaitGroup

	mu      sync.Mutex
	waiting []*letter
	settled []settlement
	leases  map[string]context.CancelCauseFunc // by id
	closed  int                                // calls of Close
}

const redeliveryDelay = time.Second

type letter struct {
	id         string
	body       string
	metadata   map[string]string
	deliveries int
}

// settlement is the end of one delivery.
type settlement struct {
	ID      string
	Attempt int
	Acked   bool
}

func newQueue() *queue {
	return &queue{
		stopping: make(chan struct{}),
		arrived:  make(chan struct{}, 1),
		leases:   make(map[string]context.CancelCauseFunc),
	}
}

func (q *queue) send(id, body string, metadata ...string) {
	l := &letter{id: id, body: body, metadata: make(map[string]string)}
	for pair := range slices.Chunk(metadata, 2) {
		l.metadata[pair[0]] = pair[1]
	}
	q.put(l)
}

func (q *queue) put(l *letter) {
	q.mu.Lock()
	q.waiting = append(q.waiting, l)
	q.mu.Unlock()
	select {
	case q.arrived <- struct{}{}:
	default:
	}
}

// take returns nil when the queue closes.
func (q *queue) take(ctx context.Context) *letter {
	for {
		select {
		case <-q.stopping:
			return nil
		default:
		}
		q.mu.Lock()
		if len(q.waiting) > 0 {
			l := q.waiting[0]
			q.waiting = q.waiting[1:]
			q.mu.Unlock()
			return l
		}
		q.mu.Unlock()
		select {
		case <-q.arrived:
		case <-q.stopping:
		case <-ctx.Done():
			return nil
		}
	}
}

func (q *queue) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	if q.subscribeErr != nil {
		return nil, q.subscribeErr
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	out := make(chan *message.Message)
	q.running.Go(func() {
		var inFlight sync.WaitGroup
		for l := q.take(ctx); l != nil; l = q.take(ctx) {
			l.deliveries++
			msg := message.NewMessage(l.id, []byte(l.body))
			for k, v := range l.metadata {
				msg.Metadata.Set(k, v)
			}
			msg.Metadata.Set(pipeline.MetadataAttempt, strconv.Itoa(l.deliveries))
			lease, lose := context.WithCancelCause(ctx)
			msg.SetContext(lease)
			q.mu.Lock()
			q.leases[l.id] = lose
			q.mu.Unlock()
			out <- msg
			inFlight.Go(func() { q.settle(l, msg, lose) })
		}
		inFlight.Wait()
		close(out)
	})
	return out, nil
}

func (q *queue) settle(l *letter, msg *message.Message, lose context.CancelCauseFunc) {
	defer lose(nil)
	s := settlement{ID: l.id, Attempt: l.deliveries}
	select {
	case <-msg.Acked():
		s.Acked = true
	case <-msg.Nacked():
		time.AfterFunc(redeliveryDelay, func() { q.put(l) })
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled = append(q.settled, s)
}

// loseLease ends the context of a message in flight.
func (q *queue) loseLease(id string, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leases[id](cause)
}

func (q *queue) Close() error {
	q.mu.Lock()
	q.closed++
	q.mu.Unlock()
	q.stopOnce.Do(func() { close(q.stopping) })
	q.running.Wait()
	return q.closeErr
}

// settlements returns the ends of all deliveries.
func (q *queue) settlements() []settlement {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.settled)
}

// unread returns the ids of messages that are not in flight, in their order.
func (q *queue) unread() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for _, l := range q.waiting {
		ids = append(ids, l.id)
	}
	return ids
}

// deadLetters is a topic in memory.
type deadLetters struct {
	fail func(*message.Message) error // called before a message is kept

	mu   sync.Mutex
	kept []*message.Message
}

func (d *deadLetters) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := m.Context().Err(); err != nil {
			return err
		}
		if d.fail != nil {
			if err := d.fail(m); err != nil {
				return err
			}
		}
		kept := m.Copy()
		kept.Metadata.Set("topic", topic)
		d.mu.Lock()
		d.kept = append(d.kept, kept)
		d.mu.Unlock()
	}
	return nil
}

func (d *deadLetters) Close() error { return nil }

// letters returns the messages by id.
func (d *deadLetters) letters() map[string]*message.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	byID := make(map[string]*message.Message)
	for _, m := range d.kept {
		byID[m.UUID] = m
	}
	return byID
}
