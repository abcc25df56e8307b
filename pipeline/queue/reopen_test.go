package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// flow is a publisher and a subscriber of one topic of a fake broker.
type flow struct {
	t        *testing.T
	topic    string
	broker   *fakeBroker
	queue    *fakeQueue
	pub      *queue.Publisher
	sub      *queue.Subscriber
	messages <-chan *message.Message
}

func startFlow(t *testing.T, change func(*queue.Config)) *flow {
	t.Helper()
	broker := newFakeBroker()
	c := config(1)
	change(&c)
	f := &flow{t: t, topic: newTopic(), broker: broker}
	f.queue = broker.queue(f.topic)
	f.pub, f.sub = newPubSub(t, broker, c)
	var err error
	if f.messages, err = f.sub.Subscribe(context.Background(), f.topic); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flow) publish(bodies ...string) {
	f.t.Helper()
	for _, body := range bodies {
		if err := f.pub.Publish(f.topic, message.NewMessage("id-"+body, []byte(body))); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *flow) next() *message.Message {
	f.t.Helper()
	m, ok := <-f.messages
	if !ok {
		f.t.Fatal("the channel is closed, want a message")
	}
	return m
}

func (f *flow) close() {
	f.t.Helper()
	if err := errors.Join(f.pub.Close(), f.sub.Close()); err != nil {
		f.t.Errorf("Close: %v", err)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// gaps returns the time between openings.
func gaps(opened []time.Time) []time.Duration {
	var d []time.Duration
	for i := 1; i < len(opened); i++ {
		d = append(d, opened[i].Sub(opened[i-1]))
	}
	return d
}

func TestReopenBacksOffWhileOpeningFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) { c.ReopenDelay = seconds })
		f.broker.failOpen(errors.New("no route to broker"))
		f.queue.kill()
		time.Sleep(7 * time.Second) // failures after 1, 1+2 and 1+2+3 s
		if err := f.sub.Fault(); err == nil || !strings.Contains(err.Error(), "no route to broker") {
			t.Errorf("meanwhile the fault is %v", err)
		}
		f.broker.failOpen(nil)
		f.publish("a")
		f.next().Ack()
		if err := f.sub.Fault(); err != nil {
			t.Errorf("afterwards the fault is %v", err)
		}
		want := []time.Duration{seconds(1), seconds(2), seconds(3), seconds(4)}
		if diff := cmp.Diff(want, gaps(f.broker.opened())); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		f.close()
	})
}

// Many drivers open lazily: only a receive shows that the queue is not there.
func TestReopenBacksOffWhileReceivingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) { c.ReopenDelay = seconds })
		denied := errors.New("access denied")
		f.queue.change(func() { f.queue.receiveErr = denied })
		time.Sleep(7 * time.Second)
		f.queue.change(func() { f.queue.receiveErr = nil })
		time.Sleep(time.Hour) // the subscription lives, and nothing is published
		f.queue.kill()
		f.publish("a")
		f.next().Ack()
		want := []time.Duration{seconds(1), seconds(2), seconds(3), seconds(4), time.Hour + 7*time.Second - seconds(10) + seconds(1)}
		if diff := cmp.Diff(want, gaps(f.broker.opened())); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		f.close()
	})
}

func TestCloseEndsReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) {
			c.ReopenDelay = func(int) time.Duration { return time.Hour }
		})
		f.queue.kill()
		synctest.Wait()
		start := time.Now()
		_ = f.sub.Close() // the dead subscription may say why it is
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %s", d)
		}
	})
}

func TestCloseEndsHangingOpen(t *testing.T) {
	for name, open := range map[string]func(*queue.Subscriber) error{
		"SubscribeInitialize": func(s *queue.Subscriber) error { return s.SubscribeInitialize("fake://a") },
		"Subscribe": func(s *queue.Subscriber) error {
			_, err := s.Subscribe(context.Background(), "fake://a")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := newFakeBroker()
				broker.open = func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}
				_, sub := newPubSub(t, broker, queue.Config{})
				opened := make(chan error, 1)
				go func() { opened <- open(sub) }()
				synctest.Wait()
				if err := sub.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if err := <-opened; !errors.Is(err, context.Canceled) {
					t.Errorf("the open that was cut off returned %v", err)
				}
			})
		})
	}
}

// A message whose lease was lost without notice is redelivered: the ack that comes too
// late deletes nothing. The other messages are not affected.
func TestLostLease(t *testing.T) {
	f := startFlow(t, func(c *queue.Config) { c.Concurrency = 2 })
	f.publish("a", "b")
	first := map[string]*message.Message{}
	for range 2 {
		m := f.next()
		first[string(m.Payload)] = m
	}
	f.queue.expire()
	f.publish("c")
	first["a"].Ack()
	first["b"].Nack()
	seen := map[string]int{}
	for len(seen) < 3 {
		m := f.next()
		seen[string(m.Payload)]++
		m.Ack()
	}
	f.close()
	if ready, leased := f.queue.left(); ready != 0 || leased != 0 {
		t.Errorf("%d messages are ready and %d leased after Close, want none", ready, leased)
	}
	for _, body := range []string{"a", "b", "c"} {
		if acks, _ := f.queue.settled(body); acks != 1 {
			t.Errorf("%s was acked %d times, want once", body, acks)
		}
	}
}
