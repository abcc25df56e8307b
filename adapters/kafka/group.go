package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bucketsum/bucketsum/pipeline"
)

// commit commits the progress of a partition up to a version, and with it that of all
// other partitions. A caller that waited for another commit may find its version
// committed. p is nil to commit everything.
func (q *member) commit(ctx context.Context, p *partition, version int64) error {
	select {
	case q.committing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-q.committing }()

	offsets := make(map[int32]kgo.EpochOffset)
	metadata := make(map[int32]string)
	versions := make(map[*partition]int64)
	q.mu.Lock()
	switch {
	case p != nil && p.committed >= version:
		q.mu.Unlock()
		return nil
	case p != nil && p.gone:
		q.mu.Unlock()
		return fmt.Errorf("partition %d: %w", p.id, pipeline.ErrLeaseLost)
	}
	for id, p := range q.partitions {
		if p.version > p.committed {
			offsets[id] = kgo.EpochOffset{Epoch: -1, Offset: p.offset()}
			metadata[id] = p.metadata()
			versions[p] = p.version
		}
	}
	q.mu.Unlock()
	if len(offsets) == 0 {
		return nil
	}
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for i := range request.Topics {
			for j := range request.Topics[i].Partitions {
				of := &request.Topics[i].Partitions[j]
				if m := metadata[of.Partition]; m != "" {
					of.Metadata = &m
				}
			}
		}
		return nil
	})
	var err error
	refused := make(map[int32]error)
	q.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{q.topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, fault error) {
			if err = fault; fault != nil || response == nil {
				return
			}
			for _, t := range response.Topics {
				for _, of := range t.Partitions {
					refused[of.Partition] = kerr.ErrorForCode(of.ErrorCode)
				}
			}
		})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for done, v := range versions {
		if refused[done.id] == nil {
			done.committed = max(done.committed, v)
		}
	}
	if p == nil {
		return errors.Join(slices.Collect(maps.Values(refused))...)
	}
	switch err := refused[p.id]; {
	case err == nil:
		return nil
	case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		// The group has evicted this worker; another one repeats the work.
		return fmt.Errorf("commit: %w: %w", pipeline.ErrLeaseLost, err)
	default:
		return fmt.Errorf("commit: %w", err)
	}
}

// fetched learns the progress of the partitions that this worker takes over. If Kafka
// cannot tell it yet, the client asks again, and fetched gets that answer too.
func (q *member) fetched(_ context.Context, _ *kgo.Client, response *kmsg.OffsetFetchResponse) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	learn := func(id int32, fault int16, offset int64, metadata *string) {
		if fault == 0 && q.partitions[id] == nil {
			var m string
			if metadata != nil {
				m = *metadata
			}
			q.partitions[id] = newPartition(id, resume(offset, m))
		}
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			learn(p.Partition, p.ErrorCode, p.Offset, p.Metadata)
		}
	}
	for _, g := range response.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				learn(p.Partition, p.ErrorCode, p.Offset, p.Metadata)
			}
		}
	}
	return nil
}

// revoked gives partitions up. Work on them has graceTime to finish. Then revoked commits
// the finished work, while the partitions still belong to this worker.
func (q *member) revoked(ctx context.Context, _ *kgo.Client, topics map[string][]int32) {
	var going []*partition
	var idle []chan struct{}
	q.mu.Lock()
	for _, id := range topics[q.topic] {
		if p := q.partitions[id]; p != nil {
			p.idle = make(chan struct{})
			going, idle = append(going, p), append(idle, p.idle)
			p.checkIdle()
		}
	}
	q.mu.Unlock()
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
wait:
	for _, done := range idle {
		select {
		case <-done:
		case <-grace.C:
			break wait
		case <-ctx.Done():
			break wait
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := q.commit(ctx, nil, 0); err != nil {
		q.log.Warn("finished work may be repeated by the next owner of its partition", "topic", q.topic, "err", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range going {
		q.drop(p)
	}
}

// lost is called when partitions already belong to another worker.
func (q *member) lost(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range topics[q.topic] {
		if p := q.partitions[id]; p != nil {
			q.drop(p)
		}
	}
}

// drop ends the leases on a partition's messages. The caller holds q.mu.
func (q *member) drop(p *partition) {
	p.gone = true
	if q.partitions[p.id] == p {
		delete(q.partitions, p.id)
	}
	for _, r := range p.held {
		if r.lease != nil { // nil: it is in q.ready
			r.lease.Lose(fmt.Errorf("partition %d of topic %s belongs to another worker", p.id, q.topic))
		}
	}
	p.held = nil
	q.ready = slices.DeleteFunc(q.ready, func(r *record) bool { return r.of == p })
}
