package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

const bucket = "inbox"

// decode reads one event a line: the key, and after a # the sequencer. A line that starts with ? is an event of an
// unknown kind. A line that starts with % is the shard of a pass after a position. Bodies that start with ! are not events: "!garbage" cannot be decoded, "!panic" panics.
func decode(body []byte, _ map[string]string) ([]pipeline.Event, error) {
	switch text := string(body); {
	case text == "":
		return nil, nil
	case text == "!garbage":
		return nil, pipeline.Permanent(errors.New("not JSON"))
	case text == "!panic":
		panic("decoder broke")
	}
	var events []pipeline.Event
	for line := range strings.Lines(string(body)) {
		e := pipeline.Event{Kind: pipeline.Created}
		line, unknown := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "?")
		if unknown {
			e.Kind = pipeline.Ignored
		}
		e.Object.Bucket = bucket
		if after, isShard := strings.CutPrefix(line, "%"); isShard {
			e.Kind, e.Shard = pipeline.Sweep, &pipeline.Shard{Pass: "p", Bucket: bucket, After: after}
			events = append(events, e)
			continue
		}
		e.Object.Key, e.Object.Sequencer, _ = strings.Cut(line, "#")
		events = append(events, e)
	}
	return events, nil
}

// pipe is a running pipeline with its queue and dead letters in memory. It runs in a synctest bubble.
type pipe struct {
	queue *queue
	dead  *deadLetters
	log   *logLines
	// stop ends the pipeline and returns the result of Run. A second call returns the same.
	stop func() error
	// cancel ends its context.
	cancel context.CancelFunc

	mu         sync.Mutex
	deliveries []pipeline.Delivery
}

func start(t *testing.T, handle pipeline.Handler, change ...func(*pipeline.Config)) *pipe {
	t.Helper()
	p := &pipe{queue: newQueue(), dead: &deadLetters{}, log: &logLines{}}
	c := pipeline.Config{
		Subscriber:  p.queue,
		Topic:       "mem://objects",
		Decode:      decode,
		Handle:      handle,
		DeadLetters: pipeline.DeadLetters{Publisher: p.dead, Topic: "mem://dead"},
		Observer: pipeline.Observer{End: func(_ context.Context, d pipeline.Delivery) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.deliveries = append(p.deliveries, d)
		}},
		Log: slog.New(slog.NewJSONHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.cancel = cancel
	ended := make(chan error, 1)
	go func() { ended <- pipeline.Run(ctx, c) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { p.stop() })
	synctest.Wait()
	return p
}

// settle lets an hour pass, which is longer than any wait for a retry or redelivery.
func (p *pipe) settle() {
	time.Sleep(time.Hour)
	synctest.Wait()
}

func (p *pipe) observed() []pipeline.Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.deliveries)
}

// fates returns the fates of the deliveries of one message, in their order.
func (p *pipe) fates(id string) []pipeline.Fate {
	var fates []pipeline.Fate
	for _, d := range p.observed() {
		if d.MessageID == id {
			fates = append(fates, d.Fate)
		}
	}
	return fates
}

// delivery returns the nth delivery that was observed, from 0.
func (p *pipe) delivery(t *testing.T, n int) pipeline.Delivery {
	t.Helper()
	observed := p.observed()
	if n >= len(observed) {
		t.Fatalf("%d deliveries observed, want more than %d", len(observed), n)
	}
	return observed[n]
}

// deadLetter returns the dead letter of a message.
func (p *pipe) deadLetter(t *testing.T, id string) *message.Message {
	t.Helper()
	dead := p.dead.letters()[id]
	if dead == nil {
		t.Fatalf("no dead letter of %s", id)
	}
	return dead
}

// wantSettled compares the ends of all deliveries, sorted by id and attempt, because ends at the same moment have
// no order.
func (p *pipe) wantSettled(t *testing.T, want ...settlement) {
	t.Helper()
	got := p.queue.settlements()
	for _, s := range [][]settlement{got, want} {
		slices.SortFunc(s, func(a, b settlement) int {
			return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Attempt, b.Attempt))
		})
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries settled (-want +got):\n%s", diff)
	}
}

func (p *pipe) wantStopped(t *testing.T) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// acked and nacked are the ends of a delivery.
func acked(id string, attempt int) settlement  { return settlement{id, attempt, true} }
func nacked(id string, attempt int) settlement { return settlement{id, attempt, false} }

// withoutRetry gives a failed message back at once.
func withoutRetry(c *pipeline.Config) { c.Retry.Max = -1 }

func withoutDeadLetters(c *pipeline.Config) { c.DeadLetters = pipeline.DeadLetters{} }

func maxDeliveries(n int) func(*pipeline.Config) {
	return func(c *pipeline.Config) { c.MaxDeliveries = n }
}

// calls counts the calls of a handler by key.
type calls struct {
	mu sync.Mutex
	n  map[string]int
}

// add counts a call and returns its number, from 1.
func (c *calls) add(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[key]++
	return c.n[key]
}

func (c *calls) of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[key]
}

// answering returns a handler that returns the errors of a key one by one, then nil, and counts the calls.
func answering(answers map[string][]error) (pipeline.Handler, *calls) {
	c := &calls{}
	return func(_ context.Context, e pipeline.Event) error {
		n := c.add(e.Object.Key)
		if errs := answers[e.Object.Key]; n <= len(errs) {
			return errs[n-1]
		}
		return nil
	}, c
}

// always returns a handler that fails with err.
func always(err error) pipeline.Handler {
	return func(context.Context, pipeline.Event) error { return err }
}

// logLines collects the lines of a slog.JSONHandler.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// of returns the lines about one message.
func (l *logLines) of(t *testing.T, id string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(l.text()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		if line["message_id"] == id {
			lines = append(lines, line)
		}
	}
	return lines
}
