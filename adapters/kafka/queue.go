package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// graceTime is how long work on a partition that has to be given up may continue.
const graceTime = 5 * time.Second

// member is a member of a consumer group.
type member struct {
	topic  string
	log    *slog.Logger
	join   func() (*kgo.Client, error)
	client *kgo.Client // nil until the first Receive

	committing chan struct{} // full while a commit is under way
	nacked     chan struct{} // has a value if ready may have a message

	mu         sync.Mutex
	partitions map[int32]*partition
	ready      []*record // nacked messages, to be delivered again
}

// partition is a partition that this member owns. If it comes back after another member
// had it, it is a new value.
type partition struct {
	id int32
	progress
	version   int64             // of the progress
	committed int64             // the version that is committed
	held      map[int64]*record // by offset
	idle      chan struct{}     // closed when no message is in work; set when the partition is to be given up
	gone      bool              // another member may have it
}

// record is a message that was delivered and is not finished.
type record struct {
	*kgo.Record
	q       *member
	of      *partition
	attempt int
	lease   *queue.Lease // nil after a nack, until it is delivered again
	waits   bool         // nacked, and its delay is not over
}

func newMember(topic string, log *slog.Logger) *member {
	return &member{
		topic: topic, log: log,
		committing: make(chan struct{}, 1),
		nacked:     make(chan struct{}, 1),
		partitions: make(map[int32]*partition),
	}
}

// Receive returns nacked messages, or else messages of Kafka.
func (q *member) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	if q.client == nil {
		client, err := q.join()
		if err != nil {
			return nil, err
		}
		q.client = client
	}
	for ctx.Err() == nil {
		if got := q.again(n); len(got) > 0 {
			return got, nil
		}
		fetches := q.poll(ctx, n)
		got := q.deliver(fetches)
		q.client.AllowRebalance()
		if len(got) > 0 {
			return got, nil
		}
		var faults []error
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				faults = append(faults, err)
			}
		})
		if len(faults) > 0 {
			return nil, errors.Join(faults...)
		}
	}
	return nil, ctx.Err()
}

// poll waits for records or for a nack. The client fetches ahead, which takes no
// messages from other workers, because the partitions belong to this one.
func (q *member) poll(ctx context.Context, n int) kgo.Fetches {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-q.nacked:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	return q.client.PollRecords(ctx, n)
}

// again returns up to n nacked messages.
func (q *member) again(n int) (got []queue.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 && len(got) < n {
		r := q.ready[0]
		q.ready = q.ready[1:]
		r.attempt++
		got = append(got, r.hold())
	}
	return got
}

// deliver takes the leases on records. The client gives up no partition meanwhile.
func (q *member) deliver(fetches kgo.Fetches) (got []queue.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		p := q.partitions[r.Partition]
		if p == nil {
			p = newPartition(r.Partition, progress{next: r.Offset})
			q.partitions[r.Partition] = p
		}
		p.passed(r.Offset)
		if p.done(r.Offset) || p.held[r.Offset] != nil {
			return
		}
		p.progress.deliver(r.Offset)
		held := &record{Record: r, q: q, of: p, attempt: 1}
		p.held[r.Offset] = held
		got = append(got, held.hold())
	})
	return got
}

// hold takes the lease on a message. The caller holds q.mu.
func (r *record) hold() queue.Delivery {
	r.lease = queue.Hold(r, r.attempt, 0)
	return queue.Delivery{Message: received(r.Record), Lease: r.lease, Sent: r.Timestamp}
}

// Extend does nothing: the client's heartbeats hold the partition.
func (r *record) Extend(context.Context, time.Duration) error { return nil }

// Ack commits that the message is finished.
func (r *record) Ack(ctx context.Context) error {
	r.q.mu.Lock()
	if r.of.gone {
		r.q.mu.Unlock()
		return fmt.Errorf("partition %d: %w", r.of.id, pipeline.ErrLeaseLost)
	}
	if r.of.held[r.Offset] == r {
		delete(r.of.held, r.Offset)
		r.of.finish(r.Offset)
		r.of.version++
		r.of.checkIdle()
	}
	version := r.of.version
	r.q.mu.Unlock()
	return r.q.commit(ctx, r.of, version)
}

// Waits implements queue.Waiter: a partition may go while its message waits.
func (r *record) Waits() {
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	r.waits = true
	r.of.checkIdle()
}

// Nack makes Receive return the message again. Kafka cannot redeliver one message.
func (r *record) Nack(context.Context, time.Duration) error {
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	if r.of.gone {
		return fmt.Errorf("partition %d: %w", r.of.id, pipeline.ErrLeaseLost)
	}
	r.lease, r.waits = nil, false
	r.q.ready = append(r.q.ready, r)
	r.of.checkIdle()
	select {
	case r.q.nacked <- struct{}{}:
	default:
	}
	return nil
}

// Close leaves the group. The next owners of its partitions get the unfinished messages.
func (q *member) Close() error {
	if q.client == nil {
		return nil
	}
	q.client.CloseAllowingRebalance()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.partitions {
		q.drop(p)
	}
	return nil
}

func newPartition(id int32, from progress) *partition {
	return &partition{id: id, progress: from, held: make(map[int64]*record)}
}

// passed forgets open messages before an offset that did not come: Kafka has deleted
// them.
func (p *partition) passed(offset int64) {
	p.open = slices.DeleteFunc(p.open, func(o int64) bool { return o < offset && p.held[o] == nil })
}

// checkIdle lets revoked continue if no message of the partition is in work.
func (p *partition) checkIdle() {
	if p.idle == nil {
		return
	}
	for _, r := range p.held {
		if r.lease != nil && !r.waits {
			return
		}
	}
	close(p.idle)
	p.idle = nil
}
