// Package app wires a worker from a Config: queues, handlers, telemetry and the HTTP
// side. The caller parses the flags and passes the lists of technologies.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// unlimitedDeliveries is the Config.MaxDeliveries of a queue that could have a limit of its own and has
// none: with the delays of SQS, an outage of about eight hours.
const unlimitedDeliveries = 100

// App is a worker whose queues, topics and addresses are open.
type App struct {
	*side
	config     Config
	queues     *Queues
	subscriber *queue.Subscriber

	announce      pipeline.Publisher // results to their topic; nil: there is none
	deadLetters   pipeline.DeadLetters
	continuations pipeline.Continuations
	handle        pipeline.Handler
	passes        passes

	letters   *letters                    // for the HTTP side; nil: none
	noLetters string                      // why
	keep      func(context.Context) error // takes dead letters in memory; nil: there are none
	settled   pipeline.Observer           // tells keep what needs no dead letter any more

	opening opening

	closes closers
}

// New opens the address of the HTTP side and, unless Config.Wait is set, the buckets,
// queues and topics of a worker, so that a wrong one is reported before any work begins.
// The caller must call Close, with or without Run.
func New(ctx context.Context, c Config) (*App, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	a := &App{config: c.withDefaults(), passes: passes{stop: make(chan struct{})}}
	if a.side = c.side; a.side == nil {
		var err error
		if a.side, err = openSide(ctx, a.config); err != nil {
			return nil, err
		}
		a.closes = append(a.closes, a.side.close)
	}
	a.config.Observer = pipeline.Observers(a.measured.Observer(), a.config.Activity.Observer(), a.config.Observer)
	if !a.config.Wait {
		if err := a.open(ctx); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// Close closes what New opened, in reverse order, and joins the errors. A second call
// does nothing.
func (a *App) Close() error {
	err := a.closes.close()
	a.closes = nil
	return err
}

// Buckets returns the names of the buckets in order.
func (a *App) Buckets() []string { return slices.Sorted(maps.Keys(a.config.Stores)) }

// openQueues opens the topics of results, dead letters and continuations, then the queue.
func (a *App) openQueues(ctx context.Context) (err error) {
	publisher := func(flag, url string) (topic message.Publisher, err error) {
		if url == a.config.Queue {
			flag = "--queue" // the user has given no other
		}
		err = a.await(ctx, flag, func(ctx context.Context) error {
			topic, err = a.queues.Publisher(ctx, url)
			return flagError(flag, err)
		})
		return topic, err
	}
	if url := a.config.Results; url != "" {
		topic, err := publisher("--results", url)
		if err != nil {
			return err
		}
		if a.announce, err = cloudevents.NewPublisher(cloudevents.Config{
			Publisher: topic, Topic: url, Sources: a.config.Sources, KeepRecords: a.config.KeepRecords,
		}); err != nil {
			return flagError("--results", err)
		}
	}
	if url := a.config.DeadLetter; url != "" {
		topic, err := publisher("--dead-letter", url)
		if err != nil {
			return err
		}
		a.deadLetters = pipeline.DeadLetters{Publisher: topic, Topic: url, Announce: a.announce}
	}
	if url := a.config.Continue; url != "" && a.config.Resume.Slice > 0 {
		topic, err := publisher("--slice", url)
		if err != nil {
			return err
		}
		a.continuations = pipeline.Continuations{Publisher: topic, Topic: url}
	}
	if url := a.config.Shards; url != "" && a.config.Reports != "" {
		if a.passes.shards, err = publisher("--shards-to", url); err != nil {
			return err
		}
	}
	if err := a.await(ctx, "--redrive-from", a.openLetters); err != nil {
		return err
	}
	opening := ctx
	if !a.config.Wait {
		opening = context.WithoutCancel(ctx) // Run decides what a stop means
	}
	return a.await(ctx, "--queue", func(context.Context) error {
		a.subscriber, err = a.queues.Subscriber(opening, a.config.Queue)
		return flagError("--queue", err)
	})
}

// flagError names the flag of a fault.
func flagError(flag string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return err
}

func (a *App) buildHandler() (err error) {
	buckets := make(map[string]pipeline.Bucket)
	for name, s := range a.config.Stores {
		buckets[name] = s.Bucket()
		if a.config.wrap != nil {
			buckets[name] = a.config.wrap(buckets[name])
		}
	}
	c := handlers.Config{
		Buckets:           buckets,
		Algorithms:        a.config.Algorithms,
		Selects:           a.config.selects,
		KeepRecords:       a.config.KeepRecords,
		IgnoreClaims:      a.config.IgnoreClaims,
		RecordMismatches:  a.config.RecordMismatches,
		DeadLetterMissing: a.config.DeadLetterMissing,
		Resume:            a.config.Resume,
		Publish:           a.announce,
		Observer:          a.config.Observer,
		Log:               a.config.Log,
	}
	if a.passes.reports != nil {
		c.Sweep = a.sweep(c)
	}
	a.handle, err = handlers.New(c)
	return err
}

// Run handles events until ctx ends, then drains: it returns nil if all work in flight
// was finished. The parts run beside the pipeline and may publish to its queue. When one
// part returns, all others stop. Run does not close what New opened.
func (a *App) Run(ctx context.Context, parts ...func(context.Context) error) error {
	if a.config.Profiles != "" {
		profiles, err := serveProfiles(a.config.Profiles, a.config.Log)
		if err != nil {
			return err
		}
		parts = append(parts, profiles)
	}
	drained := make(chan struct{})
	first := a.checks
	if a.config.Wait {
		first = a.awaited
		a.config.Log.Info("starting", "version", a.config.Version, "listen", a.Address())
	}
	hide, err := a.show(ctx, drained, first())
	if err != nil {
		return err
	}
	defer func() { hide() }()
	parts = append(parts, func(ctx context.Context) error {
		defer close(drained)
		if a.config.Wait {
			if err := a.open(ctx); err != nil {
				if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
					err = nil // it was stopped before it began
				}
				return err
			}
			hide()
			if hide, err = a.show(ctx, drained, a.checks()); err != nil {
				return err
			}
		}
		a.config.Log.Info("serving", "version", a.config.Version, "buckets", a.Buckets(),
			"algorithms", a.config.Algorithms, "concurrency", a.config.Concurrency, "listen", a.Address(), "slice", a.slice())
		parts := []func(context.Context) error{a.runPipeline, a.sweepCheckpoints}
		if a.keep != nil {
			parts = append(parts, a.keep)
		}
		return runAll(ctx, parts...)
	})
	if a.listener != nil && a.config.side == nil {
		parts = append(parts, func(ctx context.Context) error { return a.serve(ctx, drained) })
	}
	return runAll(ctx, parts...)
}

// slice says after which time work continues in a new message, if it does at all.
func (a *App) slice() string {
	if a.config.Continue == "" || a.config.Resume.Slice == 0 {
		return "off"
	}
	return a.config.Resume.Slice.String()
}

// checks returns the readiness checks of the queue and of each bucket, by name.
func (a *App) checks() map[string]func(context.Context) error {
	checks := map[string]func(context.Context) error{
		"queue": func(ctx context.Context) error { return a.queues.reachable(ctx, a.subscriber, a.config.Queue) },
	}
	for name, s := range a.config.Stores {
		checks["bucket "+name] = s.Reachable
	}
	return checks
}

func (a *App) runPipeline(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { close(a.passes.stop) })()
	maxDeliveries := a.config.MaxDeliveries
	limit, known := a.subscriber.DeliveryLimit(a.config.Queue)
	if known && limit == 0 {
		maxDeliveries = cmp.Or(maxDeliveries, unlimitedDeliveries)
	}
	return pipeline.Run(ctx, pipeline.Config{
		Subscriber:    a.subscriber,
		Topic:         a.config.Queue,
		Decode:        a.config.SNS.Decoder(events.Decode),
		Handle:        a.handle,
		DeadLetters:   a.deadLetters,
		Continuations: a.continuations,
		MaxDeliveries: maxDeliveries,
		QueueLimit:    limit,
		Retry:         a.config.Retry,
		DrainTimeout:  a.config.DrainTimeout,
		Observer:      a.config.Observer,
		Log:           a.config.Log,
	})
}

// runAll runs the parts until one of them returns or ctx ends, stops the others, waits
// for them and joins their errors.
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
