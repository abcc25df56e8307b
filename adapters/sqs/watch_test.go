package sqs_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/sqs"
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

// The trace that X-Ray has put on a message is a traceparent to whoever gets it.
func TestTraceHeader(t *testing.T) {
	both(t, func(b *bench, url string) {
		const header, parent = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
			"00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
		w := b.worker(url, queue.Config{})
		for n, tc := range []struct{ header, said, want string }{
			{header, "", parent},
			{"Self=x; Root=1-5759e988-bd862e3fe1be46a994272793 ;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:b", "",
				"00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"},
			{header, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			{"Root=1-5759e988-bd862e3fe1be46a994272793", "", ""}, // of no segment
			{"Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8;Sampled=1", "", ""},
			{"Root=1-5759E988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", "", ""},
			{"Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8", "", ""},
			{"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ag8", "", ""},
		} {
			in := &sdk.SendMessageInput{QueueUrl: queueURL(url), MessageBody: aws.String("b"), MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &tc.header},
			}}
			if tc.said != "" {
				in.MessageAttributes = map[string]types.MessageAttributeValue{"traceparent": {DataType: aws.String("String"), StringValue: &tc.said}}
			}
			if strings.Contains(url, ".fifo") {
				in.MessageGroupId, in.MessageDeduplicationId = aws.String("g"), aws.String(strconv.Itoa(n))
			}
			if _, err := b.client.SendMessage(context.Background(), in); err != nil {
				b.t.Fatalf("%q: %v", tc.header, err)
			}
			m := w.next()
			if got := m.Metadata.Get(pipeline.MetadataTraceparent); got != tc.want {
				b.t.Errorf("%q with %q is of %q, want %q", tc.header, tc.said, got, tc.want)
			}
			m.Ack()
		}
		w.close()
	})
}

// A sender that cannot set the queue's attribute uses one of its own.
func TestTraceHeaderOfASender(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		url := b.create(sqs.SchemeParallel, "objects", nil)
		w := b.worker(url, queue.Config{})
		if _, err := b.client.SendMessage(context.Background(), &sdk.SendMessageInput{
			QueueUrl: queueURL(url), MessageBody: aws.String("b"), MessageAttributes: map[string]types.MessageAttributeValue{
				"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8")},
			},
		}); err != nil {
			t.Fatal(err)
		}
		m := w.next()
		if got := m.Metadata.Get(pipeline.MetadataTraceparent); got != "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00" {
			t.Errorf("it is of %q", got)
		}
		m.Ack()
		w.close()
	})
}
