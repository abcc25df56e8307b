package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// callTimeout bounds a call to the server: without a deadline the client waits without
	// limit.
	callTimeout = 10 * time.Second
	// newAckWait is the AckWait of a new consumer: the time after which the messages
	// of a crashed worker go to others.
	newAckWait = time.Minute
	// enoughAckWait is long enough for heartbeats to fail for some seconds.
	enoughAckWait = 20 * time.Second
)

// OpenQueue opens a durable consumer.
func (d Driver) OpenQueue(ctx context.Context, url string, concurrency int) (queue.Queue, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if a.consumer == "" {
		return nil, pipeline.Permanent(errors.New("consumer=NAME is missing: the durable consumer whose messages all workers share"))
	}
	broken, lost := context.WithCancelCause(context.Background())
	nc, err := d.connect(a, a.stream+"/"+a.consumer, func() { lost(nats.ErrDisconnected) })
	if err != nil {
		lost(nil)
		return nil, err
	}
	config, err := d.consumer(ctx, nc, a)
	if err != nil {
		nc.Close()
		lost(nil)
		return nil, err
	}
	return &consumer{
		nc: nc, broken: broken, lost: lost, log: queue.Logger(d.Log), ackWait: ackWait(config), limit: max(config.MaxDeliver, 0),
		next: "$JS.API.CONSUMER.MSG.NEXT." + a.stream + "." + a.consumer,
		info: "$JS.API.CONSUMER.INFO." + a.stream + "." + a.consumer,
	}, nil
}

// ackWait returns the shortest time after which the server redelivers.
func ackWait(c jetstream.ConsumerConfig) time.Duration {
	wait := c.AckWait
	for _, d := range c.BackOff {
		wait = min(wait, d)
	}
	return wait
}

// consumer finds or creates the consumer and warns of settings that lose messages.
func (d Driver) consumer(ctx context.Context, nc *nats.Conn, a address) (jetstream.ConsumerConfig, error) {
	var none jetstream.ConsumerConfig
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return none, err
	}
	// An existing consumer needs only this request: a worker may not be permitted
	// to look at the stream.
	c, err := js.Consumer(ctx, a.stream, a.consumer)
	switch missing := errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound); {
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		return none, fmt.Errorf("consumer %s of stream %s is a push consumer; a pull consumer is needed", a.consumer, a.stream)
	case missing && a.create:
		if c, err = d.create(ctx, js, a); err != nil {
			return none, err
		}
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return none, fmt.Errorf("there is no stream %s: make it (nats stream add %s), or add create=true to the URL: %w", a.stream, a.stream, err)
	case missing:
		return none, fmt.Errorf("stream %s has no consumer %s: make it (nats consumer add %s %s --pull --ack explicit --wait 1m --max-deliver=-1), or add create=true to the URL: %w",
			a.stream, a.consumer, a.stream, a.consumer, err)
	case err != nil:
		return none, fmt.Errorf("look up consumer %s of stream %s: %w", a.consumer, a.stream, err)
	}
	config := c.CachedInfo().Config
	if config.AckPolicy != jetstream.AckExplicitPolicy {
		return none, fmt.Errorf("consumer %s of stream %s has the ack policy %s; it needs explicit, otherwise messages are lost", a.consumer, a.stream, config.AckPolicy)
	}
	log := queue.Logger(d.Log).With("stream", a.stream, "consumer", a.consumer)
	if wait := ackWait(config); wait < enoughAckWait {
		log.Warn("ack wait is too short: the message goes to another worker if a heartbeat fails once or twice", "ack_wait", wait, "least", enoughAckWait)
	}
	if config.MaxDeliver > 0 {
		log.Warn("consumer has a max deliver: a message that failed that often stays in the stream and is never delivered again; set it to -1 and use a dead-letter topic",
			"max_deliver", config.MaxDeliver)
	}
	if config.MemoryStorage {
		log.Warn("consumer keeps its state in memory: what is handled is delivered again after the server stops; set its storage to file")
	}
	if config.InactiveThreshold > 0 {
		log.Warn("consumer is deleted when no worker asks it for that long, and forgets what is handled; set its inactive threshold to 0", "inactive_threshold", config.InactiveThreshold)
	}
	d.warnOfLoss(ctx, js, a.stream, false)
	return config, nil
}

// create creates the consumer, and the stream if it is missing.
func (d Driver) create(ctx context.Context, js jetstream.JetStream, a address) (jetstream.Consumer, error) {
	if err := d.createStream(ctx, js, a); err != nil {
		return nil, err
	}
	c, err := js.CreateConsumer(ctx, a.stream, jetstream.ConsumerConfig{
		Durable:       a.consumer,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       newAckWait,
		MaxDeliver:    -1,
		MaxAckPending: -1, // each worker bounds itself, and messages that wait for their redelivery would count
		FilterSubject: a.subject,
	})
	if errors.Is(err, jetstream.ErrConsumerExists) { // another worker was faster
		return js.Consumer(ctx, a.stream, a.consumer)
	}
	if err != nil {
		return nil, fmt.Errorf("create consumer %s of stream %s: %w", a.consumer, a.stream, err)
	}
	queue.Created(queue.Logger(d.Log), "consumer", a.stream+"/"+a.consumer)
	return c, nil
}

func (d Driver) createStream(ctx context.Context, js jetstream.JetStream, a address) error {
	_, err := js.Stream(ctx, a.stream)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: a.stream, Subjects: []string{cmp.Or(a.subject, a.stream)}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
	})
	switch {
	case err == nil:
		queue.Created(queue.Logger(d.Log), "stream", a.stream)
	case !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another worker was faster
		return fmt.Errorf("create stream %s: %w", a.stream, err)
	}
	return nil
}

// OpenTopic opens a subject that a stream stores.
func (d Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	t := &topic{}
	t.connected, t.cut = context.WithCancel(context.Background())
	nc, err := d.connect(a, a.stream, t.lost)
	if err != nil {
		return nil, err
	}
	t.nc = nc
	if t.js, err = jetstream.New(nc); err == nil {
		t.subject, err = d.subject(ctx, t.js, a)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	if a.consumer == "" { // otherwise it is a queue, which OpenQueue looks at
		d.warnOfLoss(ctx, t.js, a.stream, true)
	}
	return t, nil
}

// subject returns the subject to publish to.
func (d Driver) subject(ctx context.Context, js jetstream.JetStream, a address) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if a.create {
		if err := d.createStream(ctx, js, a); err != nil {
			return "", err
		}
	}
	if a.subject != "" {
		name, err := js.StreamNameBySubject(ctx, a.subject)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return "", fmt.Errorf("no stream stores the subject %s: add it to stream %s, or add create=true to the URL if there is no such stream", a.subject, a.stream)
		case err != nil:
			return "", fmt.Errorf("look up the stream of subject %s: %w", a.subject, err)
		case name != a.stream:
			return "", fmt.Errorf("subject %s is stored by stream %s, not by %s", a.subject, name, a.stream)
		}
		return a.subject, nil
	}
	s, err := js.Stream(ctx, a.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return "", fmt.Errorf("there is no stream %s: make it (nats stream add %s), or add create=true to the URL: %w", a.stream, a.stream, err)
	}
	if err != nil {
		return "", fmt.Errorf("look up stream %s: %w", a.stream, err)
	}
	subjects := s.CachedInfo().Config.Subjects
	if len(subjects) != 1 || strings.ContainsAny(subjects[0], "*>") {
		return "", fmt.Errorf("subject=… is missing: stream %s stores %s", a.stream, strings.Join(subjects, ", "))
	}
	return subjects[0], nil
}
