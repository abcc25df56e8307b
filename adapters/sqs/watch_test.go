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

// Whoever watches is told of each extension and loss when it happens, and of the end of
// each message in the context that its consumer gave it.
func TestLeasesAreWatched(t *testing.T) {
	both(t, func(b *bench, url string) {
		type mark struct{}
		var extended, lost, acks, nacks, marked atomic.Int64
		b.send(url, "a")
		w := b.worker(url, queue.Config{Watch: pipeline.LeaseWatch{
			Extended: func() { extended.Add(1) },
			Lost:     func() { lost.Add(1) },
			Settle: func(ctx context.Context, acked bool) func(error) {
				if ctx.Value(mark{}) != nil {
					marked.Add(1)
				}
				return func(err error) {
					switch {
					case acked && err == nil:
						acks.Add(1)
					case err == nil:
						nacks.Add(1)
					}
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
