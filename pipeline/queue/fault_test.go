package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// idleDriver is a broker without messages that can be down.
type idleDriver struct{ down atomic.Bool }

func (d *idleDriver) Traits() queue.Traits { return queue.Traits{} }

func (d *idleDriver) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	if d.down.Load() {
		return nil, errDown
	}
	return idleQueue{d}, nil
}

func (d *idleDriver) OpenTopic(context.Context, string) (queue.Topic, error) {
	return nil, errors.ErrUnsupported
}

type idleQueue struct{ d *idleDriver }

func (q idleQueue) Receive(ctx context.Context, _ int) ([]queue.Delivery, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !q.d.down.Load() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, errDown
}

func (idleQueue) Close() error { return nil }

// Fault returns an error while the broker is down, and nil when it is back.
func TestFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &idleDriver{}
		s, err := queue.NewSubscriber(d, queue.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Subscribe(t.Context(), "fake://user:secret@host/queue"); err != nil {
			t.Fatal(err)
		}
		want := func(what string) {
			t.Helper()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			switch err := s.Fault(); {
			case what == "" && err != nil:
				t.Errorf("the fault is %v", err)
			case what != "" && (err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "secret")):
				t.Errorf("the fault is %v, want %q", err, what)
			}
		}
		want("")
		d.down.Store(true)
		want("broker is down")
		d.down.Store(false)
		want("")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// partialDriver has queues whose only message comes with an error.
type partialDriver struct{ idleDriver }

func (d *partialDriver) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	return partialQueue{idleQueue{&d.idleDriver}}, nil
}

type partialQueue struct{ idleQueue }

func (partialQueue) Receive(context.Context, int) ([]queue.Delivery, error) {
	lease := queue.Hold(newHandle(24*time.Hour), 1, 0)
	return []queue.Delivery{{Message: message.NewMessage("came", nil), Lease: lease}}, errDown
}

// Messages that come with an error are delivered before the queue is opened again,
// and the error still counts.
func TestMessagesBeforeFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := queue.NewSubscriber(&partialDriver{}, queue.Config{ReopenDelay: func(int) time.Duration { return time.Hour }})
		if err != nil {
			t.Fatal(err)
		}
		messages, err := s.Subscribe(t.Context(), "fake://host/queue")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for n := range 3 { // each of another queue
			m := <-messages
			m.Ack()
			if took, want := time.Since(begin), time.Duration(n)*time.Hour; took != want {
				t.Errorf("message %d came after %s, want %s", n, took, want)
			}
			synctest.Wait()
			if s.Fault() == nil {
				t.Error("Fault returned nil")
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
