package broker_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/broker"
)

// fakeDriver is a broker without messages that can be down.
type fakeDriver struct{ down atomic.Bool }

func (d *fakeDriver) OpenQueue(context.Context, string, int) (broker.Queue, error) {
	if d.down.Load() {
		return nil, errDown
	}
	return fakeQueue{d}, nil
}

func (d *fakeDriver) OpenTopic(context.Context, string) (broker.Topic, error) {
	return nil, errors.ErrUnsupported
}

type fakeQueue struct{ d *fakeDriver }

func (q fakeQueue) Receive(ctx context.Context, _ int) ([]broker.Delivery, error) {
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

func (fakeQueue) Close() error { return nil }

// A subscriber knows that nothing comes because the broker is down, and that it is back.
func TestFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDriver{}
		s, err := broker.NewSubscriber(d, broker.Config{})
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
				t.Errorf("its fault is %v", err)
			case what != "" && (err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "secret")):
				t.Errorf("its fault is %v, want %q", err, what)
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
