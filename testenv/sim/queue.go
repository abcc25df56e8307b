package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// heldFor is how long SQS lets a message be held in total.
	heldFor = 12 * time.Hour

	opReceive = "queue.receive"
	opExtend  = "queue.extend"
	opAck     = "queue.ack"
	opNack    = "queue.nack"
	opSend    = "topic.send"
	opBody    = "body"
	opBegin   = "handle" // local: a delivery begins
	opEnd     = "handled"
)

// queueModel is a standard queue of SQS with the topics beside it.
type queueModel struct {
	kernel *kernel
	outage bool

	visibility time.Duration
	maxReceive int // after so many receives the queue itself dead-letters a message; 0: never

	last       int
	messages   []*msg          // that are in the queue, in flight or not
	byBody     map[string]*msg // that stores and users sent
	deliveries map[string]*delivery
	inFlight   []*delivery // whose messages are not deleted; also those that are lost

	dead    []letter  // of bucketsum
	native  []*msg    // dead-lettered by the queue, without a reason
	results []*result // that were announced
}

// msg is a message in the queue.
type msg struct {
	n        int
	body     string
	metadata map[string]string
	changes  []change // that it tells; none: it is no event of a configured bucket
	expect   string   // what becomes of it; see users.go
	visible  time.Time
	receives int
	holder   *delivery // the last one
	deleted  bool
}

// delivery is one receive of a message. It stays the engine's until its lease ends.
type delivery struct {
	*msg
	label    string // such as m3#2: the second delivery of message 3
	proc     *process
	attempt  int
	received time.Time
	until    time.Time           // when the worker, by its own clock, must take the lease for lost
	lost     time.Time           // when the worker knew, or could know, that the lease was lost; zero: not yet
	settling bool                // the worker has begun to ack or nack it
	read     map[string]*version // by key with its bucket: the record that was read last
	asked    time.Time           // when the extension that is under way was sent

	agreed map[string]bool // by key: the store was in agreement since the receive
	handed bool            // a dead letter or a continuation of it was stored
}

// letter is a dead letter of bucketsum.
type letter struct {
	body, reason string
	attempt      string
	delivery     *delivery
}

type deliveryKey struct{}

func deliveryOf(ctx context.Context) *delivery {
	d, _ := ctx.Value(deliveryKey{}).(*delivery)
	return d
}

func (d *delivery) name() string {
	if d == nil {
		return ""
	}
	return d.label
}

func (m *msg) id() string { return fmt.Sprintf("m%d", m.n) }

func deliveryName(id string, attempt int) string { return fmt.Sprintf("%s#%d", id, attempt) }

// about returns the key that the delivery is about, for the history.
func (d *delivery) about() string {
	if d == nil || len(d.changes) == 0 {
		return ""
	}
	return d.changes[0].store.nameOf(d.changes[0].key)
}

func (q *queueModel) deliveryOf(id string, attempt int) *delivery {
	q.kernel.mu.Lock()
	defer q.kernel.mu.Unlock()
	return q.deliveries[deliveryName(id, attempt)]
}

func (q *queueModel) empty() bool { return len(q.messages) == 0 }

// send puts a message into the queue, which shows it after a delay.
func (q *queueModel) send(m *msg, delay time.Duration) {
	q.last++
	m.n = q.last
	m.visible = time.Now().Add(delay)
	q.messages = append(q.messages, m)
}

// nextVisible returns when the next message shows; zero: none will.
func (q *queueModel) nextVisible() (next time.Time, now bool) {
	for _, m := range q.messages {
		if next.IsZero() || m.visible.Before(next) {
			next = m.visible
		}
	}
	return next, !next.IsZero() && !next.After(time.Now())
}

// receive gives out up to n messages, in any order.
func (q *queueModel) receive(p *process, n int) []*delivery {
	now := time.Now()
	var got []*delivery
	order := q.kernel.rng.Perm(len(q.messages))
	all := slices.Clone(q.messages)
	for _, i := range order {
		m := all[i]
		if len(got) == n {
			break
		}
		if m.visible.After(now) {
			continue
		}
		if q.maxReceive > 0 && m.receives >= q.maxReceive {
			q.native = append(q.native, m)
			q.drop(m)
			q.kernel.counts["dead-lettered by the queue"]++
			q.kernel.history.note("native dead letter", m.about(), m.id())
			continue
		}
		if m.holder != nil {
			q.kernel.check.redelivers(m.holder)
		}
		m.receives++
		d := &delivery{msg: m, proc: p, attempt: m.receives, received: now, agreed: make(map[string]bool), label: deliveryName(m.id(), m.receives)}
		m.holder = d
		if m.visible = now.Add(q.visibility); q.kernel.chance(q.kernel.profile.Duplicate) {
			m.visible = now // a second copy shows at once
			q.kernel.counts["duplicate"]++
		}
		q.kernel.mu.Lock()
		q.deliveries[d.name()] = d
		q.kernel.mu.Unlock()
		q.inFlight = append(q.inFlight, d)
		q.kernel.check.received(d)
		got = append(got, d)
		if q.kernel.chance(0.2) {
			break // SQS often returns fewer than there are
		}
	}
	return got
}

func (m *msg) about() string { return (&delivery{msg: m}).about() }

// drop removes a message from the queue.
func (q *queueModel) drop(m *msg) {
	m.deleted = true
	q.messages = slices.DeleteFunc(q.messages, func(o *msg) bool { return o == m })
	q.inFlight = slices.DeleteFunc(q.inFlight, func(d *delivery) bool { return d.msg == m })
}

var errStale = fmt.Errorf("the receipt handle has expired: %w", pipeline.ErrLeaseLost)

// holds reports whether the delivery still has the message.
func (d *delivery) holds() bool { return !d.deleted && d.holder == d && d.visible.After(time.Now()) }

func (q *queueModel) extend(d *delivery, period time.Duration) error {
	now := time.Now()
	if !d.holds() || now.Add(period).After(d.received.Add(heldFor)) {
		return errStale
	}
	d.visible = now.Add(period)
	return nil
}

// ack deletes the message. With an old receipt handle SQS deletes it or not, and says so or not.
func (q *queueModel) ack(d *delivery) error {
	if d.deleted {
		return nil
	}
	if !d.holds() {
		switch q.kernel.rng.IntN(3) {
		case 0:
			return errStale
		case 1:
			return nil // it stays
		}
	}
	q.kernel.check.acks(d)
	q.drop(d.msg)
	return nil
}

// nack shows the message again after a delay.
func (q *queueModel) nack(d *delivery, delay time.Duration) error {
	if d.holds() {
		d.visible = time.Now().Add(delay)
	}
	return nil
}

// queueDriver is a process's connection to the queue and the topics. It implements queue.Driver.
type queueDriver struct{ proc *process }

func (q *queueDriver) Traits() queue.Traits {
	return queue.Traits{CountsDeliveries: true, OwnTopic: true, DelaysNacks: q.proc.kernel.profile.DelaysNacks}
}

// OpenQueue does not wait in the kernel, because the engine holds a lock during the first one.
func (q *queueDriver) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	if q.proc.gone.Load() {
		return nil, errGone
	}
	return &connection{q}, nil
}

func (q *queueDriver) OpenTopic(_ context.Context, url string) (queue.Topic, error) {
	return &topic{q, url}, nil
}

type connection struct{ *queueDriver }

func (c *connection) Receive(ctx context.Context, n int) ([]queue.Delivery, error) {
	k := c.proc.kernel
	var got []*delivery
	r := &call{proc: c.proc, op: opReceive}
	r.pending = func() (time.Time, bool) {
		next, now := k.queue.nextVisible()
		return next, !now && !k.queue.outage
	}
	r.apply = func() {
		got = k.queue.receive(c.proc, n)
		for _, d := range got {
			k.history.note("deliver", d.about(), d.name()+" to "+c.proc.name)
		}
	}
	if err := k.do(ctx, r); err != nil {
		return nil, err
	}
	var out []queue.Delivery
	for _, d := range got {
		d.until = time.Now().Add(k.queue.visibility)
		m := message.NewMessage(d.id(), []byte(d.body))
		m.Metadata = maps.Clone(d.metadata)
		if m.Metadata == nil {
			m.Metadata = make(message.Metadata)
		}
		lease := queue.HoldAtMost(&handle{c.proc, d}, d.attempt, k.queue.visibility, heldFor)
		c.proc.holds(lease)
		out = append(out, queue.Delivery{Message: m, Lease: lease})
	}
	if len(out) == 0 {
		return c.Receive(ctx, n) // the messages were dead-lettered by the queue
	}
	return out, nil
}

func (c *connection) Close() error { return nil }

// handle settles one delivery.
type handle struct {
	proc *process
	d    *delivery
}

func (h *handle) call(ctx context.Context, op string, apply func() error) error {
	c := &call{proc: h.proc, op: op, key: h.d.about(), delivery: h.d, writes: true}
	c.apply = func() { c.err = apply() }
	return h.proc.kernel.do(ctx, c)
}

func (h *handle) Extend(ctx context.Context, period time.Duration) error {
	return h.call(ctx, opExtend, func() error { return h.proc.kernel.queue.extend(h.d, period) })
}

func (h *handle) Ack(ctx context.Context) error {
	return h.call(ctx, opAck, func() error { return h.proc.kernel.queue.ack(h.d) })
}

func (h *handle) Nack(ctx context.Context, delay time.Duration) error {
	return h.call(ctx, opNack, func() error { return h.proc.kernel.queue.nack(h.d, delay) })
}

// topic stores what is sent.
type topic struct {
	*queueDriver
	url string
}

func (t *topic) Send(ctx context.Context, m *message.Message) error {
	k, d := t.proc.kernel, deliveryOf(ctx)
	c := &call{proc: t.proc, op: opSend, key: t.url + " " + d.about(), delivery: d, writes: true}
	body, metadata := string(m.Payload), maps.Clone(map[string]string(m.Metadata))
	c.apply = func() { c.err = k.queue.sent(t.url, body, metadata, d) }
	return k.do(ctx, c)
}

func (t *topic) Close() error { return nil }

// sent stores a message of a worker.
func (q *queueModel) sent(url, body string, metadata map[string]string, d *delivery) error {
	switch url {
	case deadURL:
		l := letter{body, metadata[pipeline.MetadataReason], metadata[pipeline.MetadataAttempt], d}
		q.dead = append(q.dead, l)
		q.kernel.counts["dead letter"]++
		q.kernel.check.letter(l)
		if d != nil {
			d.handed = true
		}
	case queueURL:
		if d == nil {
			return errors.New("a continuation of nothing")
		}
		q.kernel.counts["continuation"]++
		q.send(&msg{body: body, metadata: metadata, changes: d.changes, expect: d.expect}, 0)
		d.handed = true
	case resultsURL:
		r, err := parseResult(body)
		if err != nil {
			return err
		}
		q.results = append(q.results, r)
		q.kernel.check.result(r)
	}
	return nil
}
