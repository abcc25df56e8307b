package redrive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

const (
	// hasty is how soon a queue that counts its messages is asked whether it is empty.
	hasty = time.Second
	// lastLook is how long a queue that says that it is empty must still deliver nothing: a message may
	// have been on its way.
	lastLook = 250 * time.Millisecond
	// settleTime bounds how long a message that was sent is tried to be deleted.
	settleTime = 30 * time.Second
	// attempts is how often a message is sent, and how often in a row a queue is opened, before that counts as failed.
	attempts = 4
	// hopeless is how many messages in a row cannot be sent before the run ends.
	hopeless = 10
)

var pauses = backoff.Backoff{First: 300 * time.Millisecond, Longest: 5 * time.Second}

// End is why a run ended.
type End string

// The ends.
const (
	Empty       End = "empty"       // the queue delivers nothing more
	Limited     End = "limit"       // Config.Limit is reached
	Full        End = "full"        // Config.Hold is reached: more messages may lie behind those that are held
	Interrupted End = "interrupted" // its context ended
	Broken      End = "broken"      // the queue or the topic failed; Run returns the error
)

// Summary is what a run has found and done.
type Summary struct {
	End    End
	Total  Tally
	Groups []Group // the largest first
	// After is what the queue says it has after the run; nil if it does not tell.
	After *queue.Count
}

// Done reports whether everything that matched was sent or deleted, as far as the limit permits.
func (s Summary) Done() bool {
	return s.Total.Failed == 0 && s.Total.CameBack == 0 && (s.End == Empty || s.End == Limited) && !s.Hidden()
}

// Hidden reports whether the queue delivered nothing and says that it has messages: others hold them.
func (s Summary) Hidden() bool {
	return s.Total.Found == 0 && s.After != nil && s.After.Waiting+s.After.Held > 0
}

// run is the state of one run. Only the fields below mu are used by several goroutines.
type run struct {
	Config
	from  queue.Driver
	queue queue.Queue
	topic queue.Topic

	taken   int // matching messages that are in work or done
	held    held
	working sync.WaitGroup
	slots   chan struct{} // one for each message in work
	began   time.Time     // in whole seconds, as some queues tell when they got a message

	tally  tally
	memory *memory
	mu     sync.Mutex
	fails  int   // in a row
	fault  error // that ends the run
}

// Run receives every message of Config.From and does Config.Action with those that match. When ctx ends, it finishes
// what is in work and gives the others back. The summary is also complete beside an error.
func Run(ctx context.Context, c Config) (_ Summary, err error) {
	if err := c.Validate(); err != nil {
		return Summary{}, pipeline.Permanent(err)
	}
	c = c.withDefaults()
	r := &run{
		Config: c, slots: make(chan struct{}, c.Concurrency), began: time.Now().Truncate(time.Second),
		memory: newMemory(), tally: tally{groups: make(map[string]*Group)},
	}
	r.from, _ = c.Drivers.Of(c.From) // Validate has looked
	r.From = queue.WithoutCreate(c.From)
	if s, moved, err := r.move(ctx); moved {
		return s, err
	}
	if c.Action == Send {
		to, _ := c.Drivers.Of(c.To)
		if r.topic, err = to.OpenTopic(ctx, c.To); err != nil {
			return Summary{}, fmt.Errorf("--to: open %s: %w", redact.URL(c.To), redact.Error(unreached.Explain(err), c.To))
		}
		defer func() {
			if closing := r.topic.Close(); closing != nil {
				err = errors.Join(err, fmt.Errorf("close %s: %w", redact.URL(c.To), redact.Error(closing, c.To)))
			}
		}()
	}
	if err := r.open(ctx); err != nil {
		return Summary{}, err
	}
	stop := r.tell()
	end, err := r.all(ctx)
	stop()
	err = errors.Join(err, r.close())
	return r.summary(ctx, end), err
}

// summary is also complete after an interruption: the user wants to know what is left.
func (r *run) summary(ctx context.Context, end End) Summary {
	s := Summary{End: end, Total: r.tally.totals(), Groups: r.tally.sorted()}
	if count := r.from.Traits().Count; count != nil {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		if after, err := count(within, r.From); err == nil {
			s.After = &after
		}
	}
	return s
}

// tell calls Told now and then, until it is stopped.
func (r *run) tell() (stop func()) {
	if r.Told == nil {
		return func() {}
	}
	ticks, done := time.NewTicker(r.Every), make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		for {
			select {
			case <-ticks.C:
				r.Told(r.tally.totals())
			case <-done:
				return
			}
		}
	})
	return func() { ticks.Stop(); close(done); telling.Wait() }
}

func (r *run) open(ctx context.Context) (err error) {
	// Some drivers have a receiver for each message that is in flight.
	if r.queue, err = r.from.OpenQueue(ctx, r.From, r.Concurrency+r.Hold); err != nil {
		return fmt.Errorf("--from: open %s: %w", redact.URL(r.From), redact.Error(unreached.Explain(err), r.From))
	}
	return nil
}

// close finishes the work and gives back what is held.
func (r *run) close() error {
	r.working.Wait()
	if p, ok := r.queue.(queue.Pauser); ok {
		p.Pause() // otherwise this process gets again what it gives back
	}
	r.held.giveBack(r.Log)
	if err := r.queue.Close(); err != nil {
		return fmt.Errorf("close %s: %w", redact.URL(r.From), redact.Error(err, r.From))
	}
	return nil
}
