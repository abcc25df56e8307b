package sqs_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// The trace that X-Ray put on a message becomes its traceparent.
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
