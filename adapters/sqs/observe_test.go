package sqs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// An observer sees each extension and loss of a lease when it happens, and the end of each message in the context that
// the consumer gave it.
func TestLeasesAreObserved(t *testing.T) {
	both(t, func(b *bench, url string) {
		type mark struct{}
		var extended, lost, acks, nacks, marked atomic.Int64
		b.send(url, "a")
		w := b.worker(url, queue.Config{Observer: pipeline.Observer{
			Lease: func(c pipeline.LeaseChange) {
				if c == pipeline.LeaseExtended {
					extended.Add(1)
				} else {
					lost.Add(1)
				}
			},
			Stepped: func(ctx context.Context, s pipeline.Step, _ time.Time, err error) {
				if ctx.Value(mark{}) != nil {
					marked.Add(1)
				}
				switch {
				case s == pipeline.StepAck && err == nil:
					acks.Add(1)
				case s == pipeline.StepNack && err == nil:
					nacks.Add(1)
				}
			},
		}})
		counts := func(what string, want ...int64) {
			b.t.Helper()
			synctest.Wait()
			for i, got := range []int64{lost.Load(), acks.Load(), nacks.Load(), marked.Load()} {
				if got != want[i] {
					b.t.Errorf("%s: lost, acks, nacks, marked are %d, %d, %d, %d; want %d", what, lost.Load(), acks.Load(), nacks.Load(), marked.Load(), want)
					return
				}
			}
		}
		m := w.next()
		time.Sleep(5 * time.Minute) // a third of a minute apart
		if n := extended.Load(); n < 13 || n > 17 {
			b.t.Errorf("%d extensions while it is in work", n)
		}
		m.SetContext(context.WithValue(m.Context(), mark{}, true))
		m.Nack()
		counts("nacked", 0, 0, 1, 1)

		m = w.next()
		m.SetContext(context.WithValue(m.Context(), mark{}, true))
		m.Ack()
		counts("acked", 0, 1, 1, 2)

		b.send(url, "b")
		m = w.next()
		if _, err := b.client.PurgeQueue(context.Background(), &sdk.PurgeQueueInput{QueueUrl: queueURL(url)}); err != nil {
			b.t.Fatal(err)
		}
		<-m.Context().Done()
		m.Nack()
		time.Sleep(time.Second)
		counts("lost", 1, 1, 1, 2)
		w.close()
	})
}
