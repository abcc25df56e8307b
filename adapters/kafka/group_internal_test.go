package kafka

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// TestFetchedAgain: while a transaction is open, Kafka answers with an error, and the
// client asks again. The second answer counts. Answers have two forms.
func TestFetchedAgain(t *testing.T) {
	metadata := "bucketsum1 5 3"
	fault, good := kmsg.NewOffsetFetchResponseGroupTopicPartition(), kmsg.NewOffsetFetchResponseGroupTopicPartition()
	fault.Offset, fault.ErrorCode = -1, kerr.UnstableOffsetCommit.Code
	good.Offset, good.Metadata = 10, &metadata
	for name, answer := range map[string]func(of kmsg.OffsetFetchResponseGroupTopicPartition) *kmsg.OffsetFetchResponse{
		"new": func(of kmsg.OffsetFetchResponseGroupTopicPartition) *kmsg.OffsetFetchResponse {
			r, g, topic := kmsg.NewPtrOffsetFetchResponse(), kmsg.NewOffsetFetchResponseGroup(), kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Partitions = append(topic.Partitions, of)
			g.Topics = append(g.Topics, topic)
			r.Groups = append(r.Groups, g)
			return r
		},
		"old": func(of kmsg.OffsetFetchResponseGroupTopicPartition) *kmsg.OffsetFetchResponse {
			r, topic, p := kmsg.NewPtrOffsetFetchResponse(), kmsg.NewOffsetFetchResponseTopic(), kmsg.NewOffsetFetchResponseTopicPartition()
			p.Offset, p.ErrorCode, p.Metadata = of.Offset, of.ErrorCode, of.Metadata
			topic.Partitions = append(topic.Partitions, p)
			r.Topics = append(r.Topics, topic)
			return r
		},
	} {
		q := newMember("t", slog.New(slog.DiscardHandler))
		for _, of := range []kmsg.OffsetFetchResponseGroupTopicPartition{fault, good} {
			if err := q.fetched(t.Context(), nil, answer(of)); err != nil {
				t.Fatal(err)
			}
		}
		p := q.partitions[0]
		if p == nil {
			t.Fatalf("%s: the partition is unknown", name)
		}
		for offset, done := range map[int64]bool{9: true, 10: false, 11: true, 12: true, 13: false, 14: true, 15: false} {
			if p.done(offset) != done {
				t.Errorf("%s: that %d is done is %v", name, offset, !done)
			}
		}
	}
}

// TestWaitingMessageIsNotInWork: a rebalance does not wait for a message that waits for
// its redelivery.
func TestWaitingMessageIsNotInWork(t *testing.T) {
	p := newPartition(0, progress{})
	r := &record{q: newMember("objects", slog.New(slog.DiscardHandler)), of: p, attempt: 1}
	r.lease = queue.Hold(r, 1, 0)
	p.held[0] = r
	idle := make(chan struct{})
	p.idle = idle
	p.checkIdle()
	select {
	case <-idle:
		t.Error("the partition is idle while its message is in work")
	default:
	}
	r.Waits()
	select {
	case <-idle:
	default:
		t.Error("the partition is not idle while its message waits")
	}
}
