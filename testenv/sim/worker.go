package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The places that workers send to.
const (
	queueURL   = "sim://queue"
	deadURL    = "sim://dead-letters"
	resultsURL = "sim://results"
)

// process is one run of a worker, from its start to its end or crash.
type process struct {
	kernel *kernel
	worker int // its place in kernel.workers
	id     int // of all processes of the run
	name   string

	gone    atomic.Bool // nothing that it does has any effect any more
	crashed bool
	working atomic.Int32 // deliveries that are handled, also those whose message is deleted by now
	frozen  bool
	thawed  time.Time // when its last freeze ended
	stopped bool      // it was told to drain

	stop   context.CancelFunc // SIGTERM
	exited chan struct{}
	err    error // of pipeline.Run

	mu     sync.Mutex
	leases []*queue.Lease
}

// startWorker starts a process in the place of a worker.
func (k *kernel) startWorker(worker int) {
	k.processes++
	p := &process{
		kernel: k, worker: worker, id: k.processes, exited: make(chan struct{}),
		name: fmt.Sprintf("w%d.%d", worker+1, k.processes),
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	k.workers[worker] = p
	k.history.note("start", "", p.name)
	go func() {
		defer close(p.exited)
		p.err = p.run(ctx)
	}()
}

// run wires a worker as the program does, without HTTP and telemetry, and runs it until ctx ends.
func (p *process) run(ctx context.Context) error {
	f := p.kernel.profile
	buckets := make(map[string]pipeline.Bucket)
	for _, s := range p.kernel.store {
		if s.configured {
			buckets[s.name] = blobstore.New(&bucket{store: s, proc: p}, s.name, blobstore.Config{
				Algorithms: f.Algorithms, CallerVerifies: !f.IgnoreClaims,
			}).Bucket()
		}
	}
	observer := p.observer()
	driver := &queueDriver{proc: p}
	subscriber, err := queue.NewSubscriber(driver, queue.Config{
		Concurrency: f.Concurrency, CloseTimeout: f.Drain + 10*time.Second, Observer: observer,
	})
	if err != nil {
		return err
	}
	publisher := queue.NewPublisher(driver)
	var announce pipeline.Publisher
	if f.Results {
		if announce, err = cloudevents.NewPublisher(cloudevents.Config{
			Publisher: publisher, Topic: resultsURL, KeepRecords: f.KeepRecords,
		}); err != nil {
			return err
		}
	}
	config := pipeline.Config{
		Subscriber: &closedOnce{Subscriber: subscriber, done: make(chan struct{})}, Topic: queueURL,
		Decode: events.Decode, MaxDeliveries: f.MaxDeliveries, QueueLimit: f.MaxReceive, DrainTimeout: f.Drain, Observer: observer,
	}
	if f.DeadLetters {
		config.DeadLetters = pipeline.DeadLetters{Publisher: publisher, Topic: deadURL, Announce: announce}
	}
	if f.Resume.Slice > 0 {
		config.Continuations = pipeline.Continuations{Publisher: publisher, Topic: queueURL}
	}
	config.Handle, err = handlers.New(handlers.Config{
		Buckets: buckets, Algorithms: f.Algorithms, Selects: f.selects, KeepRecords: f.KeepRecords,
		IgnoreClaims: f.IgnoreClaims, RecordMismatches: f.RecordMismatches, Resume: f.Resume,
		Publish: announce, Observer: observer,
	})
	if err != nil {
		return err
	}
	err = pipeline.Run(ctx, config)
	_ = config.Subscriber.Close() // as the program does; Run has reported its error
	_ = publisher.Close()         // the model's topics do not fail
	return err
}

// observer tells the models which delivery a call belongs to. It also parks each delivery at its begin and its end:
// several may begin at one instant, and a shutdown ends several, in an order that only the kernel should decide.
func (p *process) observer() pipeline.Observer {
	park := func(ctx context.Context, op string, d *delivery) {
		if d != nil {
			_ = p.kernel.do(context.WithoutCancel(ctx), &call{proc: p, op: op, key: d.about(), delivery: d, apply: func() {}})
		}
	}
	return pipeline.Observer{
		Begin: func(ctx context.Context, seen pipeline.Delivery) context.Context {
			d := p.kernel.queue.deliveryOf(seen.MessageID, seen.Attempt)
			p.working.Add(1)
			park(ctx, opBegin, d)
			return context.WithValue(ctx, deliveryKey{}, d)
		},
		End: func(ctx context.Context, _ pipeline.Delivery) {
			park(ctx, opEnd, deliveryOf(ctx))
			p.working.Add(-1)
		},
	}
}

// closedOnce lets the second Close wait for the first without a lock, which would stop the clock of
// the bubble.
type closedOnce struct {
	*queue.Subscriber
	called atomic.Bool
	done   chan struct{}
	err    error
}

func (c *closedOnce) Close() error {
	if c.called.CompareAndSwap(false, true) {
		c.err = c.Subscriber.Close()
		close(c.done)
	}
	<-c.done
	return c.err
}

func (c *closedOnce) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return c.Subscriber.Subscribe(ctx, topic)
}

// holds registers a lease, which ends when the process crashes.
func (p *process) holds(l *queue.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leases = slices.DeleteFunc(p.leases, func(l *queue.Lease) bool { return l.Context().Err() != nil })
	p.leases = append(p.leases, l)
}

// crash ends the process in the middle of whatever it does. Its requests have reached the models or
// not.
func (k *kernel) crash(p *process) {
	k.counts["crash"]++
	p.crashed = true
	k.history.note("crash", "", p.name)
	k.end(p)
	k.later(k.between(100*time.Millisecond, k.profile.Downtime), func() { k.startWorker(p.worker) })
}

// end makes a process powerless and lets its goroutines end.
func (k *kernel) end(p *process) {
	p.gone.Store(true)
	p.frozen = false
	for _, c := range slices.Clone(k.parked) {
		if c.proc != p {
			continue
		}
		if c.writes && !c.applied && k.rng.IntN(2) == 0 {
			c.applied = true
			c.apply()
			k.history.add(c, outcomeOf(c.err)+", its last")
		}
		c.err = errGone
		k.answer(c)
	}
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.leases {
		l.Lose(errGone)
	}
}

// freeze stops a process for a while, as SIGSTOP or a busy machine does. Requests that it has sent
// arrive; it does not see the answers before it thaws.
func (k *kernel) freeze(p *process) {
	d := k.between(time.Second, k.profile.Freeze)
	k.counts["freeze"]++
	k.history.note("freeze", "", fmt.Sprintf("%s for %s", p.name, d.Round(time.Millisecond)))
	p.frozen = true
	for _, c := range slices.Clone(k.parked) {
		if c.proc == p && c.pending == nil && !c.ended && k.rng.IntN(2) == 0 {
			k.apply(c)
		}
	}
	k.later(d, func() { k.thaw(p) })
}

func (k *kernel) thaw(p *process) {
	if p.frozen {
		p.frozen, p.thawed = false, time.Now()
		k.history.note("thaw", "", p.name)
	}
}

// drain sends SIGTERM. The worker is started again some time after its end.
func (k *kernel) drain(p *process) {
	k.counts["drain"]++
	k.history.note("drain", "", p.name)
	p.stopped = true
	p.stop()
}

// buryTheExited ends the processes whose main function has returned.
func (k *kernel) buryTheExited() {
	for _, p := range k.workers {
		select {
		case <-p.exited:
		default:
			continue
		}
		if p.gone.Load() {
			continue
		}
		k.history.note("exit", "", strings.TrimSpace(fmt.Sprintf("%s %s", p.name, outcomeOf(p.err))))
		if !p.stopped && !k.closing || k.closing && p.err != nil {
			k.check.violate(drains, "", "%s ended: %v", p.name, p.err)
		}
		k.end(p)
		if !k.closing {
			k.later(k.between(100*time.Millisecond, k.profile.Downtime), func() { k.startWorker(p.worker) })
		}
	}
}

// between draws a duration, short ones more often than long ones.
func (k *kernel) between(low, high time.Duration) time.Duration {
	x := k.rng.Float64()
	return low + time.Duration(x*x*float64(high-low))
}
