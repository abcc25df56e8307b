package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// worker is a pipeline and its HTTP side, as the commands local and serve run it.
type worker struct {
	workerConfig
	queue      string // URL
	deadLetter string // URL; empty: none
	buckets    map[string]pipeline.Bucket
	// checks says, by the names of buckets, why one cannot be reached.
	checks   map[string]func(context.Context) error
	sources  map[string]string // the URIs of buckets, for results
	activity *web.Activity
	publish  pipeline.Publisher
	observe  pipeline.Observer // nil: nobody
	retry    pipeline.Retry
	// maxDeliveries dead-letters what fails that often; 0: the queue decides.
	maxDeliveries int
	hosts         []string     // names under which the page is answered; none: any
	listener      net.Listener // of the HTTP side, see listenHTTP; nil: none
	check         bool         // end when all is open
	log           *slog.Logger
}

// run handles events until ctx ends, then drains. What has to run beside the
// worker gets started when the queue is open and may publish to it; when a
// part fails, all stop.
func (w worker) run(ctx context.Context, beside ...func(context.Context) error) (err error) {
	if w.listener != nil {
		defer w.listener.Close()
	}
	measured, err := w.measure(ctx)
	if err != nil {
		return err
	}
	defer measured.Close()
	buckets := make(map[string]pipeline.Bucket)
	records := make(map[string]web.Records)
	for name, b := range w.buckets {
		records[name] = b.Records
		b = measured.Bucket(b)
		b.Source = w.activity.Source(b.Source)
		buckets[name] = b
	}
	announce := func(context.Context, pipeline.Result) error { return nil }
	handle, err := handlers.New(handlers.Config{
		Buckets:          buckets,
		Algorithms:       w.algorithms,
		Selects:          w.selects,
		KeepRecords:      w.onDelete == "keep",
		IgnoreClaims:     w.nativeChecks == "off",
		RecordMismatches: w.onMismatch == "record",
		Resume:           w.resume.resume(),
		Publish: measured.Counted(func(ctx context.Context, r pipeline.Result) error {
			return errors.Join(w.activity.Publish(ctx, r), w.publish(ctx, r), announce(ctx, r))
		}),
		Log: w.log,
	})
	if err != nil {
		return err
	}
	queues, err := newWatchedQueues(int(w.concurrency), w.drainTimeout, measured.LeaseWatch(), w.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queues.Close()) }()
	if w.results != "" {
		if announce, err = w.announcer(ctx, queues); err != nil {
			return fmt.Errorf("--results: %w", err)
		}
		announce = measured.Announcer(announce)
	}
	var deadLetters pipeline.DeadLetters
	if w.deadLetter != "" {
		publisher, err := queues.publisher(ctx, w.deadLetter)
		if err != nil {
			return fmt.Errorf("--dead-letter: %w", err)
		}
		deadLetters = pipeline.DeadLetters{Publisher: measured.Publisher("dead-letter", publisher), Topic: w.deadLetter, Announce: announce}
	}
	var continuations pipeline.Continuations
	if w.resume.slice > 0 {
		topic := topicOf(w.queue)
		publisher, err := queues.publisher(ctx, topic)
		if err != nil {
			return fmt.Errorf("--slice: %w", err)
		}
		continuations = pipeline.Continuations{Publisher: measured.Publisher("continue", publisher), Topic: topic}
	}
	subscriber, err := queues.subscriber(w.queue)
	if err != nil {
		return fmt.Errorf("--queue: %w", err)
	}
	if w.check {
		w.log.Info("queues and buckets can be reached", "buckets", slices.Sorted(maps.Keys(w.buckets)))
		return nil
	}
	if w.pprof != "" {
		profiles, err := serveProfiles(w.pprof, w.log)
		if err != nil {
			return err
		}
		beside = append(beside, profiles)
	}
	listen := w.listen
	if w.listener != nil {
		listen = w.listener.Addr().String() // the port may have been left to the system
	}
	w.log.Info("serving", "version", version(), "buckets", slices.Sorted(maps.Keys(w.buckets)),
		"algorithms", w.algorithms, "concurrency", int(w.concurrency), "listen", listen)
	checks := map[string]func(context.Context) error{
		"queue": func(ctx context.Context) error { return queues.reachable(ctx, subscriber, w.queue) },
	}
	for name, check := range w.checks {
		checks["bucket "+name] = check
	}
	ready := web.NewReadiness(ctx, checks)
	defer ready.Close()
	if err := measured.Gauge("ready", "", "1 if the queue and the buckets can be reached and the worker does not drain, else 0.", func(ctx context.Context) float64 {
		if len(ready.Faults(ctx)) > 0 {
			return 0
		}
		return 1
	}); err != nil {
		return err
	}
	drained := make(chan struct{})
	parts := append(beside, func(ctx context.Context) error {
		defer close(drained)
		return pipeline.Run(ctx, pipeline.Config{
			Subscriber:    subscriber,
			Topic:         w.queue,
			Decode:        events.Decode,
			Handle:        handle,
			DeadLetters:   deadLetters,
			Continuations: continuations,
			MaxDeliveries: w.maxDeliveries,
			Retry:         w.retry,
			DrainTimeout:  w.drainTimeout,
			Observe: func(d pipeline.Delivery) {
				w.activity.Observe(d)
				if w.observe != nil {
					w.observe(d)
				}
			},
			Follow: measured,
			Log:    w.log,
		})
	})
	if w.listener != nil {
		page, err := web.Handler(web.Config{
			MaxUpload: w.maxUpload,
			Status:    w.activity.Status,
			Records:   records,
			Hosts:     w.hosts,
			Ready:     ready,
			Metrics:   measured.Metrics(),
			Health: func() error {
				select {
				case <-drained:
					return errors.New("the pipeline has ended")
				default:
					return nil
				}
			},
			Log:     w.log,
			Version: version(),
		})
		if err != nil {
			return err
		}
		parts = append(parts, func(ctx context.Context) error {
			return web.Serve(ctx, drained, w.listener, page, w.drainTimeout, w.log)
		})
	}
	return runAll(ctx, parts...)
}

// measure starts to measure what this process does.
func (w worker) measure(ctx context.Context) (*telemetry.Telemetry, error) {
	t, err := telemetry.New(ctx, telemetry.Config{Version: version(), Log: w.log})
	if err != nil {
		return nil, err
	}
	lanes := func(context.Context) float64 {
		engine, err := md5lanes.Default()
		if err != nil {
			return 0 // the program has not started
		}
		hashes, lanes := engine.Load()
		return float64(min(hashes, lanes))
	}
	if err := t.Gauge("lanes_in_use", "", "MD5 lanes that hash now, in the instant of the look.", lanes); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// announcer returns what sends results to the topic of --results.
func (w worker) announcer(ctx context.Context, queues *queues) (pipeline.Publisher, error) {
	topic, err := queues.publisher(ctx, w.results)
	if err != nil {
		return nil, err
	}
	return cloudevents.NewPublisher(cloudevents.Config{
		Publisher: topic, Topic: w.results, Sources: w.sources, KeepRecords: w.onDelete == "keep",
	})
}

// listenHTTP returns nil if there is to be no HTTP side.
func (c *workerConfig) listenHTTP() (net.Listener, error) {
	if c.listen == "off" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w; choose another address, or 'off'", err)
	}
	return l, nil
}

// runAll runs the parts until one of them returns or ctx ends, stops the
// others and returns everybody's errors.
func runAll(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() {
			defer stop()
			errs[i] = part(ctx)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
