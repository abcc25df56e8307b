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

const (
	// graceTime is what work on a partition gets that has to be given up.
	graceTime = 5 * time.Second
	// waitingPerSlot is how many nacked messages wait here for their redelivery,
	// for each that may be in flight.
	waitingPerSlot = 16
)

// member is a member of a consumer group.
type member struct {
	topic  string
	log    *slog.Logger
	join   func() (*kgo.Client, error)
	client *kgo.Client // nil until the first Receive

	committing chan struct{} // full while a commit is under way
	waiting    chan struct{} // one for each nacked message that waits
	due        chan struct{} // has one if a nacked message can be handed out

	mu         sync.Mutex
	partitions map[int32]*partition
	ready      []*record // nacked messages whose wait is over
}

// partition is one that is ours. It is another after it was somebody else's.
type partition struct {
	id int32
	progress
	version   int64 // of the progress
	committed int64 // the version that Kafka knows
	held      map[int64]*record
	idle      chan struct{} // closed when nothing is held, once the partition is to be given up
	gone      bool          // it is not ours any more
}

// record is a message that was delivered and is not finished.
type record struct {
	*kgo.Record
	q       *member
	of      *partition
	attempt int
	lease   *queue.Held // nil while it waits for its redelivery
	timer   *time.Timer // of that wait
	counted bool        // it has an element of waiting
}

func newMember(topic string, concurrency int, log *slog.Logger) *member {
	return &member{
		topic: topic, log: log,
		committing: make(chan struct{}, 1),
		waiting:    make(chan struct{}, concurrency*waitingPerSlot),
		due:        make(chan struct{}, 1),
		partitions: make(map[int32]*partition),
	}
}

func place(r *kgo.Record) string { return fmt.Sprintf("%s:%d:%d", r.Topic, r.Partition, r.Offset) }

// Receive hands out what was nacked before, and else what Kafka has.
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

// poll waits for records, or until a nacked message is due. The client has
// fetched ahead; the partitions are ours alone, so that this keeps nothing from
// anybody.
func (q *member) poll(ctx context.Context, n int) kgo.Fetches {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-q.due:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	return q.client.PollRecords(ctx, n)
}

// again hands out nacked messages whose wait is over.
func (q *member) again(n int) (got []queue.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 && len(got) < n {
		r := q.ready[0]
		q.ready = q.ready[1:]
		r.uncount()
		r.attempt++
		got = append(got, r.hold())
	}
	return got
}

// deliver notes what comes to be in work. No partition goes meanwhile.
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

// hold takes the lease on the message. The caller holds q.mu.
func (r *record) hold() queue.Delivery {
	r.lease = queue.Hold(r, r.attempt, 0)
	return queue.Delivery{Message: received(r.Record), Lease: r.lease}
}

// Extend does nothing: the client's heartbeats keep the partition.
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

// Nack keeps the message here until its delay is over. If too many wait already
// it holds up its slot meanwhile, so that the intake slows down; but not for
// longer, because it is the intake that hands out those that wait.
func (r *record) Nack(ctx context.Context, delay time.Duration) error {
	due := time.Now().Add(delay)
	wait := time.NewTimer(delay)
	defer wait.Stop()
	counted := false
	select {
	case r.q.waiting <- struct{}{}:
		counted = true
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	r.counted = counted
	if r.of.gone {
		r.uncount()
		return fmt.Errorf("partition %d: %w", r.of.id, pipeline.ErrLeaseLost)
	}
	r.lease = nil
	r.timer = time.AfterFunc(time.Until(due), r.ripe)
	r.of.checkIdle()
	return nil
}

// uncount makes room for another that waits. The caller holds q.mu.
func (r *record) uncount() {
	if r.counted {
		<-r.q.waiting
		r.counted = false
	}
}

// ripe is what happens when a nacked message's wait is over.
func (r *record) ripe() {
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	if r.of.gone {
		return
	}
	r.q.ready = append(r.q.ready, r)
	select {
	case r.q.due <- struct{}{}:
	default:
	}
}

// Close leaves the group; what waits for its redelivery the next one gets.
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

// passed forgets the open messages before an offset that never came: Kafka has
// deleted them.
func (p *partition) passed(offset int64) {
	p.open = slices.DeleteFunc(p.open, func(o int64) bool { return o < offset && p.held[o] == nil })
}

// checkIdle tells whoever gives the partition up that nobody works on it.
func (p *partition) checkIdle() {
	if p.idle == nil {
		return
	}
	for _, r := range p.held {
		if r.lease != nil {
			return
		}
	}
	close(p.idle)
	p.idle = nil
}
