package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/keeper"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

const (
	// A run by HTTP must answer soon, and is one of several things that a worker does.
	lettersWait        = 3 * time.Second
	lettersHold        = 2000
	lettersConcurrency = 8
)

// letters are the dead letters of a worker, for the HTTP side.
type letters struct {
	run      redrive.Config // without action and match
	activity *live.Activity

	busy sync.Mutex
}

// Run implements web.DeadLetters. What was discarded is no longer shown as a failure. What has failed since the run began
// stays, and what the run has not reached.
func (l *letters) Run(ctx context.Context, action redrive.Action, match redrive.Match) (redrive.Report, error) {
	if !l.busy.TryLock() {
		return redrive.Report{}, web.ErrBusy
	}
	defer l.busy.Unlock()
	began := time.Now()
	c := l.run
	c.Action, c.Match = action, match
	if action != redrive.Send {
		c.To = ""
	}
	c.Discarded = func(objects []pipeline.Object) {
		l.activity.Dismiss(began, func(reason string, of ...pipeline.Object) bool {
			return len(of) > 0 && match.Selects(reason, of...) && slices.ContainsFunc(objects, func(o pipeline.Object) bool {
				return o.Bucket == of[0].Bucket && o.Key == of[0].Key
			})
		})
	}
	s, err := redrive.Run(ctx, c)
	if err == nil && s.Done() {
		switch {
		case action == redrive.Discard: // no letter is left
			l.activity.Dismiss(began, match.Selects)
		case s.Total.Sent > 0: // a message that names no object is not known again when it succeeds
			l.activity.Dismiss(began, func(reason string, objects ...pipeline.Object) bool {
				return len(objects) == 0 && match.Selects(reason)
			})
		}
	}
	return redrive.Report{Summary: s, From: c.From, To: c.To, Action: action}, err
}

// traits returns the traits of a queue; zero if there is none of that URL.
func (a *App) traits(rawURL string) queue.Traits {
	if d, err := a.config.Drivers.Of(rawURL); err == nil {
		return d.Traits()
	}
	return queue.Traits{}
}

// openLetters decides where the dead letters of the HTTP side are, and where they are sent.
func (a *App) openLetters(ctx context.Context) error {
	c := &a.config
	from, to := c.RedriveFrom, c.RedriveTo
	if from == "" && a.traits(c.DeadLetter).OwnTopic {
		from = c.DeadLetter
	}
	if to == "" {
		if to = c.Shards; to == "" && a.traits(c.Queue).OwnTopic {
			to = c.Queue
		}
	}
	switch {
	case from == "" && c.DeadLetter == "":
		a.noLetters = "The worker knows no dead letters: start it with --dead-letter, or name the queue that has them with --redrive-from"
		return nil
	case from == "":
		a.noLetters = "What is sent to --dead-letter cannot be received by its URL (" + redact.Scheme(c.DeadLetter) + "://): name the queue, subscription or consumer that receives it with --redrive-from"
		return nil
	case to == "":
		a.noLetters = "Messages cannot be sent to --queue by its URL (" + redact.Scheme(c.Queue) + "://): name the topic that feeds it with --redrive-to"
		return nil
	}
	run := redrive.Config{
		Drivers: c.Drivers, From: from, To: to,
		Concurrency: lettersConcurrency, Hold: lettersHold, Wait: lettersWait,
		Decode: events.Decode, Log: c.Log,
	}
	if from == c.DeadLetter && a.traits(from).InProcess {
		k, err := a.openKeeper(ctx)
		if err != nil {
			return err
		}
		run.Drivers, run.Wait = append(run.Drivers[:0:0], k), keeper.Wait
	}
	a.letters = &letters{run: run, activity: c.Activity}
	return nil
}

// openKeeper subscribes to the dead letters before the first one can come.
func (a *App) openKeeper(ctx context.Context) (*keeper.Keeper, error) {
	c := a.config
	publisher := c.requeue
	if publisher == nil {
		var err error
		if publisher, err = a.queues.Publisher(ctx, c.Queue); err != nil {
			return nil, flagError("--queue", err)
		}
	}
	k := keeper.New(redact.Scheme(c.DeadLetter), func(m *message.Message) error { return publisher.Publish(c.Queue, m) })
	if !c.Wait {
		ctx = context.WithoutCancel(ctx) // Run decides what a stop means
	}
	sub, err := a.queues.Subscriber(ctx, c.DeadLetter)
	if err != nil {
		return nil, flagError("--dead-letter", err)
	}
	a.keep = func(ctx context.Context) error {
		letters, err := sub.Subscribe(ctx, c.DeadLetter)
		if err != nil {
			return err
		}
		for m := range letters {
			k.Add(m)
			m.Ack()
		}
		return nil
	}
	a.settled = pipeline.Observer{
		Result: func(_ context.Context, r pipeline.Result, _ error) { k.Succeeded(r.Record.Source) },
	}
	return k, nil
}
