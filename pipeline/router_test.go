package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

const drainTimeout = 20 * time.Second

func drainFor(d time.Duration) func(*pipeline.Config) {
	return func(c *pipeline.Config) { c.DrainTimeout = d }
}

func TestStopWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, always(nil))
		began := time.Now()
		p.wantStopped(t)
		if since := time.Since(began); since != 0 {
			t.Errorf("stopped after %s, want at once", since)
		}
		if p.queue.closed != 1 {
			t.Errorf("the subscriber was closed %d times, want once", p.queue.closed)
		}
	})
}

// The intake stops at once, and messages in flight are finished.
func TestDrainFinishesWorkInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, func(ctx context.Context, e pipeline.Event) error {
			time.Sleep(drainTimeout / 2)
			if _, deadline := ctx.Deadline(); deadline || ctx.Err() != nil {
				t.Errorf("the work on %s was disturbed: %v, a deadline: %v", e.Object, ctx.Err(), deadline)
			}
			return nil
		}, drainFor(drainTimeout))
		p.queue.send("m1", "a\nb")
		p.queue.send("m2", "c")
		time.Sleep(time.Second) // m1 is at its first event
		p.cancel()
		synctest.Wait()
		p.queue.send("late", "d")

		p.wantStopped(t)
		p.wantSettled(t, acked("m2", 1), acked("m1", 1))
		if diff := cmp.Diff([]string{"late"}, p.queue.unread()); diff != "" {
			t.Errorf("left in the queue (-want +got):\n%s", diff)
		}
		if text := p.log.text(); !strings.Contains(text, `"msg":"draining","in_flight":2,"timeout":20000000000`) {
			t.Errorf("the drain is not in the log:\n%s", text)
		}
	})
}

// However a handler reacts to its cancellation, its message goes back to the queue, is neither lost nor dead-lettered,
// and Run reports it.
func TestDrainTimeout(t *testing.T) {
	for name, answer := range map[string]func(context.Context) error{
		"context":    context.Context.Err,
		"cause":      func(ctx context.Context) error { return context.Cause(ctx) },
		"unknown":    func(context.Context) error { return errors.New("connection reset") },
		"permanent":  func(context.Context) error { return pipeline.Permanent(errors.New("unexpected EOF")) },
		"superseded": func(context.Context) error { return pipeline.ErrMissing },
		"panic":      func(context.Context) error { panic("no reader") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var causes sync.Map
				p := start(t, func(ctx context.Context, e pipeline.Event) error {
					if e.Object.Key == "quick" {
						return nil
					}
					<-ctx.Done()
					causes.Store(e.Object.Key, context.Cause(ctx))
					return answer(ctx)
				}, drainFor(drainTimeout), maxDeliveries(1))
				p.queue.send("m", "quick\nslow\nnever\nnever either")
				p.queue.send("alone", "slow too")
				synctest.Wait()
				began := time.Now()
				err := p.stop()

				if since := time.Since(began); since != drainTimeout {
					t.Errorf("stopped after %s, want %s", since, drainTimeout)
				}
				for _, key := range []string{"slow", "slow too"} {
					if cause, _ := causes.Load(key); cause != pipeline.ErrDrainTimeout {
						t.Errorf("%s was cancelled because of %v, want ErrDrainTimeout", key, cause)
					}
				}
				if !errors.Is(err, pipeline.ErrDrainTimeout) || !strings.Contains(err.Error(), "2 message(s) were not finished and went back to the queue") {
					t.Errorf("Run: %v, want how much was not finished", err)
				}
				p.wantSettled(t, nacked("alone", 1), nacked("m", 1))
				if n := len(p.dead.letters()); n != 0 {
					t.Errorf("%d dead letters of our own stop", n)
				}
				for _, d := range p.observed() {
					if d.Fate != pipeline.Nacked || !errors.Is(d.Err, pipeline.ErrDrainTimeout) {
						t.Errorf("observed %s with %v", d.Fate, d.Err)
					}
					for _, h := range d.Events {
						key := h.Event.Object.Key
						if done := !errors.Is(h.Err, pipeline.ErrDrainTimeout); done != (key == "quick") {
							t.Errorf("%s ended with %v", key, h.Err)
						}
						_, panicked := errors.AsType[*pipeline.PanicError](h.Err)
						if panicked != (name == "panic" && strings.HasPrefix(key, "slow")) {
							t.Errorf("%s ended with %v", key, h.Err)
						}
					}
				}
			})
		})
	}
}

func TestWorkDoneDespiteCancellationIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, func(ctx context.Context, _ pipeline.Event) error {
			<-ctx.Done()
			return nil
		})
		p.queue.send("m", "a")
		synctest.Wait()
		p.wantStopped(t)
		p.wantSettled(t, acked("m", 1))
	})
}

func TestHandlerThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := start(t, func(context.Context, pipeline.Event) error {
			<-release
			return nil
		}, drainFor(drainTimeout))
		p.queue.send("m1", "a")
		p.queue.send("m2", "b")
		synctest.Wait()
		began := time.Now()
		err := p.stop()
		if since := time.Since(began); since < drainTimeout || since > drainTimeout+10*time.Second {
			t.Errorf("Run returned after %s, want soon after the drain timeout of %s", since, drainTimeout)
		}
		if !errors.Is(err, pipeline.ErrDrainTimeout) || !strings.Contains(err.Error(), "2 message(s) are still in work") {
			t.Errorf("Run: %v, want what it left behind", err)
		}
		p.wantSettled(t)
		close(release) // lets the test end
	})
}

// A failure during a shutdown proves nothing: it is not retried, does not count as the last delivery and does not delay
// the shutdown.
func TestFailureWhileStopping(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failure error
		fate    pipeline.Fate
	}{
		{"transient", errors.New("503"), pipeline.Nacked},
		{"permanent", pipeline.Permanent(errors.New("no room")), pipeline.DeadLettered},
		{"superseded", pipeline.ErrMissing, pipeline.Acked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				p := start(t, g.handle, maxDeliveries(1))
				p.queue.send("m", "a")
				synctest.Wait()
				p.cancel()
				synctest.Wait()
				g.pass <- tc.failure
				p.wantStopped(t)
				if diff := cmp.Diff([]pipeline.Fate{tc.fate}, p.fates("m")); diff != "" {
					t.Errorf("fates (-want +got):\n%s", diff)
				}
				if n := g.of("a#"); n != 1 {
					t.Errorf("handled %d times, want once", n)
				}
			})
		})
	}
}

// A lost lease says nothing about the message.
func TestLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("lease lost")
		var n calls
		p := start(t, func(ctx context.Context, _ pipeline.Event) error {
			if n.add("") > 1 {
				return nil
			}
			<-ctx.Done()
			return pipeline.Permanent(ctx.Err())
		}, maxDeliveries(2))
		p.queue.send("m", "a")
		synctest.Wait()
		p.queue.loseLease("m", lost)
		p.settle()
		p.wantSettled(t, nacked("m", 1), acked("m", 2))
		if err := p.delivery(t, 0).Err; !errors.Is(err, lost) {
			t.Errorf("observed %v, want the cause", err)
		}
		p.wantStopped(t)
	})
}

func TestSubscribeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.subscribeErr, q.closeErr = errors.New("no such queue"), errors.New("not open")
		err := pipeline.Run(t.Context(), pipeline.Config{
			Subscriber: q, Topic: "amqp://user:secret@host/q", Decode: decode, Handle: always(nil),
		})
		if !errors.Is(err, q.subscribeErr) || !errors.Is(err, q.closeErr) {
			t.Errorf("Run: %v, want both failures", err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("Run: %v tells a password", err)
		}
	})
}

func TestStopBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		q := newQueue()
		q.send("m", "a")
		if err := pipeline.Run(ctx, pipeline.Config{Subscriber: q, Topic: "q", Decode: decode, Handle: always(nil)}); err != nil {
			t.Errorf("Run: %v", err)
		}
		if q.closed == 0 {
			t.Error("the subscriber was not closed")
		}
	})
}

func TestSubscriptionEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		p := start(t, g.handle)
		p.queue.send("m", "a")
		synctest.Wait()
		go p.queue.Close()
		synctest.Wait()
		g.pass <- nil
		synctest.Wait()
		p.wantSettled(t, acked("m", 1))
		if err := p.stop(); err == nil || !strings.Contains(err.Error(), "the subscription ended by itself") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestFaultOfCloseIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, always(nil))
		p.queue.closeErr = errors.New("connection reset")
		if err := p.stop(); !errors.Is(err, p.queue.closeErr) {
			t.Errorf("Run: %v, want that of Close", err)
		}
	})
}

// hangingClose is a subscriber whose Close waits for the test.
type hangingClose struct {
	*queue
	may chan struct{}
}

func (h hangingClose) Close() error {
	err := h.queue.Close()
	<-h.may
	return err
}

func TestCloseThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := make(chan struct{})
		p := start(t, always(nil), func(c *pipeline.Config) {
			c.Subscriber = hangingClose{c.Subscriber.(*queue), may}
		})
		if err := p.stop(); err == nil || !strings.Contains(err.Error(), "the subscription does not close") {
			t.Errorf("Run: %v", err)
		}
		close(may) // lets the test end
	})
}

// hasty is a subscriber that closes its channel without waiting for messages in flight.
type hasty struct {
	out     chan *message.Message
	closing chan struct{}
}

func (h hasty) Subscribe(context.Context, string) (<-chan *message.Message, error) { return h.out, nil }
func (h hasty) Close() error                                                       { close(h.out); close(h.closing); return nil }

// Not in a bubble, because the router holds a mutex while it waits.
func TestSubscriberThatDoesNotWait(t *testing.T) {
	s := hasty{make(chan *message.Message), make(chan struct{})}
	g := newGate()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- pipeline.Run(ctx, pipeline.Config{Subscriber: s, Topic: "q", Decode: decode, Handle: g.handle})
	}()
	var messages []*message.Message
	for range 100 {
		msg := message.NewMessage("m", []byte(fmt.Sprint(len(messages))))
		s.out <- msg
		messages = append(messages, msg)
	}
	cancel()
	<-s.closing
	for range messages {
		select {
		case g.pass <- nil: // a handler waits for it
		case err := <-ended:
			t.Fatalf("Run returned %v while messages were in flight", err)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, msg := range messages {
		<-msg.Acked()
	}
}

func TestValidate(t *testing.T) {
	valid := func() pipeline.Config {
		return pipeline.Config{Subscriber: newQueue(), Topic: "q", Decode: decode, Handle: always(nil)}
	}
	if err := valid().Validate(); err != nil {
		t.Errorf("the least that is needed: %v", err)
	}
	faults := map[string]func(*pipeline.Config){
		"no Subscriber":                              func(c *pipeline.Config) { c.Subscriber = nil },
		"no Topic":                                   func(c *pipeline.Config) { c.Topic = "" },
		"no Decode":                                  func(c *pipeline.Config) { c.Decode = nil },
		"no Handle":                                  func(c *pipeline.Config) { c.Handle = nil },
		"MaxDeliveries is negative":                  func(c *pipeline.Config) { c.MaxDeliveries = -1 },
		"QueueLimit is negative":                     func(c *pipeline.Config) { c.QueueLimit = -1 },
		"Retry.Initial is negative":                  func(c *pipeline.Config) { c.Retry.Initial = -1 },
		"Retry.Longest is negative":                  func(c *pipeline.Config) { c.Retry.Longest = -1 },
		"DrainTimeout is negative":                   func(c *pipeline.Config) { c.DrainTimeout = -1 },
		"dead letters have a Publisher but no Topic": func(c *pipeline.Config) { c.DeadLetters.Publisher = &deadLetters{} },
	}
	var all pipeline.Config
	for fault, introduce := range faults {
		c := valid()
		introduce(&c)
		if err := c.Validate(); err == nil || err.Error() != "pipeline: "+fault {
			t.Errorf("Validate: %v, want %q", err, fault)
		}
		introduce(&all)
	}
	err := pipeline.Run(t.Context(), all)
	for fault := range faults {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("Run: %v, want all faults, also %q", err, fault)
		}
	}
}
