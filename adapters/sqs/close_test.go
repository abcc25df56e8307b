package sqs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestCloseGivesBackAtOnce(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a")
		w := b.worker(url, sqs.Config{CloseTimeout: 30 * time.Second})
		m := w.next()
		go func() {
			<-m.Context().Done()
			m.Nack()
		}()
		start := time.Now()
		w.close()
		if d := time.Since(start); d > 32*time.Second {
			b.t.Errorf("close took %s", d)
		}
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			b.t.Errorf("after close: %s", got)
		}
	})
}

func TestFinishedWorkIsDeletedWhileClosing(t *testing.T) {
	both(t, func(b *bench, url string) {
		b.send(url, "a", "b")
		w := b.worker(url, sqs.Config{Concurrency: 1})
		m := w.next()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			w.close()
		}()
		time.Sleep(50 * time.Second) // a heartbeat or two
		if err := m.Context().Err(); err != nil {
			b.t.Errorf("the work was cancelled: %v", err)
		}
		m.Ack()
		<-closed
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			b.t.Errorf("after close: %s", got)
		}
	})
}

func TestMessageThatNobodyTakesGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		b.send(url, "a")
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after a while: %s", got)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("taken too late: %v", err)
		}
		m.Nack()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseOfQueuesGivesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		b.send(url, "a")
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease, err := queues.Lease(t.Context(), url, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, pipeline.ErrLeaseLost) {
			t.Errorf("taken twice: %v", err)
		}
		if err := sub.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		m.Nack()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after close: %s", got)
		}
		if lease.Context().Err() == nil {
			t.Error("the lease lives")
		}
		if err := lease.Ack(t.Context()); err == nil {
			t.Error("a message that was given back can be acked")
		}
		if _, err := queues.OpenSubscription(t.Context(), url); !errors.Is(err, sqs.ErrClosed) {
			t.Errorf("open after close: %v", err)
		}
		if _, err := queues.Lease(t.Context(), url, m); !errors.Is(err, sqs.ErrClosed) {
			t.Errorf("lease after close: %v", err)
		}
	})
}

func TestWhatArrivesAfterCloseGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		queues := b.queues(sqs.Config{})
		sub, err := queues.OpenSubscription(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan *pubsub.Message, 1)
		go func() {
			m, err := sub.Receive(t.Context())
			if err != nil {
				t.Error(err)
			}
			received <- m
		}()
		synctest.Wait() // it polls
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
		b.send(url, "a")
		(<-received).Nack()
		if got := b.counts(url); got != "1 visible, 0 in flight" {
			t.Errorf("after close: %s", got)
		}
		sub.Shutdown(t.Context())
	})
}
