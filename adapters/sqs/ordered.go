package sqs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// ordered receives through watermill-aws. A worker of that holds one message until
// its lease ends, and only then receives the next.
type ordered struct {
	*client
	*settler
	sub      *watermillsqs.Subscriber
	received sync.Map            // of *types.Message, by the *message.Message that stands for it
	arrived  chan queue.Delivery // has room for one of each worker
	faults   chan error          // holds the first error of a receive
	intake   *intake             // nil while paused
}

// intake are the workers that receive between a Receive and a Pause.
type intake struct {
	ctx  context.Context
	stop context.CancelFunc
	// visibility is the one that all of their calls ask for.
	visibility time.Duration
	workers    int
	idle       atomic.Int64 // workers without a message
	running    sync.WaitGroup
}

func (c *client) openOrdered(concurrency int) (*ordered, error) {
	q := &ordered{
		client: c, settler: c.newSettler(),
		arrived: make(chan queue.Delivery, concurrency), faults: make(chan error, 1),
	}
	var err error
	q.sub, err = watermillsqs.NewSubscriber(watermillsqs.SubscriberConfig{
		AWSConfig:                   c.aws,
		OptFns:                      []func(*sqs.Options){bounded(c.address.wait + answerTime)},
		DoNotCreateQueueIfNotExists: true,
		QueueUrlResolver:            resolver{c},
		Unmarshaler:                 q,
		// One message at a time: after a nack watermill-aws forgets the rest of a
		// batch.
		GenerateReceiveMessageInput: func(context.Context, watermillsqs.QueueURL) (*sqs.ReceiveMessageInput, error) {
			return &sqs.ReceiveMessageInput{
				QueueUrl: &c.address.queue, MaxNumberOfMessages: 1, MessageAttributeNames: []string{"All"},
				MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
				WaitTimeSeconds:             seconds(c.address.wait), VisibilityTimeout: seconds(q.intake.visibility),
			}, nil
		},
	}, faultLog{q.faults})
	return q, err
}

// Receive implements queue.Queue. The first call starts one worker; after it has
// brought a message, the next call starts one for each that may be in flight. So a
// queue that is empty or out of order is polled by one worker.
func (q *ordered) Receive(ctx context.Context, n int) (got []queue.Delivery, err error) {
	idle, visibility := n, q.visibilityTime()
	if q.intake != nil && q.intake.visibility != visibility {
		q.Pause() // a worker keeps its input
	}
	if q.intake == nil {
		q.intake = &intake{visibility: visibility}
		q.intake.ctx, q.intake.stop = context.WithCancel(context.Background())
		idle = 1
	}
	for q.intake.workers < cap(q.arrived) && int(q.intake.idle.Load()) < idle {
		if err := q.addWorker(q.intake); err != nil {
			return nil, err
		}
	}
	select {
	case d := <-q.arrived:
		got = append(got, d)
	case err := <-q.faults:
		q.Pause() // the workers must not receive while the engine waits
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(got) < n {
		select {
		case d := <-q.arrived:
			got = append(got, d)
		default:
			return got, nil
		}
	}
	return got, nil
}

func (q *ordered) addWorker(i *intake) error {
	// It logs its topic, and our URL may hold secrets.
	in, err := q.sub.Subscribe(i.ctx, q.address.queue)
	if err != nil {
		return err
	}
	i.workers++
	i.idle.Add(1)
	i.running.Go(func() {
		for m := range in {
			q.arrive(i, m)
		}
	})
	return nil
}

// Unmarshal is how watermill-aws shows what it has received. Its own message only
// stands for that: nacked, it frees the worker and makes no call.
func (q *ordered) Unmarshal(raw *types.Message) (*message.Message, error) {
	m := message.NewMessage(aws.ToString(raw.MessageId), nil)
	q.received.Store(m, raw)
	return m, nil
}

// arrive takes the lease on a message and keeps it for the next Receive.
func (q *ordered) arrive(i *intake, m *message.Message) {
	value, _ := q.received.LoadAndDelete(m)
	raw := value.(*types.Message)
	i.idle.Add(-1)
	lease := q.hold(raw, i.visibility)
	context.AfterFunc(lease.Context(), func() {
		i.idle.Add(1)
		m.Nack() // frees the worker; the message is settled by its receipt handle
	})
	d := queue.Delivery{Message: received(raw, []byte(aws.ToString(raw.Body))), Lease: lease, Sent: sentAt(raw)}
	select {
	case q.arrived <- d:
	case <-i.ctx.Done():
		giveBack(d)
	}
}

// Pause implements queue.Pauser.
func (q *ordered) Pause() {
	if q.intake == nil {
		return
	}
	q.intake.stop()
	q.intake.running.Wait()
	q.intake = nil
	var giving sync.WaitGroup
	defer giving.Wait()
	for {
		select {
		case d := <-q.arrived:
			giving.Go(func() { giveBack(d) })
		case <-q.faults: // of the workers that have ended
		default:
			return
		}
	}
}

// giveBack makes a message visible at once: it came, but no Receive runs any more.
// If that fails, SQS redelivers it when its visibility ends.
func giveBack(d queue.Delivery) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_ = d.Lease.Nack(ctx, 0)
}

// Close implements queue.Queue.
func (q *ordered) Close() error {
	q.Pause()
	err := q.sub.Close()
	q.settler.close()
	return err
}

// faultLog is the logger of watermill-aws. That logs an error for each receive that
// fails; the engine says so instead.
type faultLog struct{ faults chan error }

func (l faultLog) Error(_ string, err error, _ watermill.LogFields) {
	select {
	case l.faults <- err:
	default: // one is enough
	}
}
func (faultLog) Info(string, watermill.LogFields)  {}
func (faultLog) Debug(string, watermill.LogFields) {}
func (faultLog) Trace(string, watermill.LogFields) {}

func (l faultLog) With(watermill.LogFields) watermill.LoggerAdapter { return l }

var _ queue.Pauser = (*ordered)(nil)
