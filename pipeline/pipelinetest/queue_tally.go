package pipelinetest

import (
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
)

// tally counts the messages that workers ack.
type tally struct {
	full    chan struct{} // closed when n messages were added
	workers sync.WaitGroup

	n    int
	mu   sync.Mutex
	list []string
}

func newTally(n int) *tally { return &tally{full: make(chan struct{}), n: n} }

func (l *tally) add(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list = append(l.list, id); len(l.list) == l.n {
		close(l.full)
	}
}

// work starts n workers that ack the messages for which ack returns true, and nack the
// others. They end when the subscriber is closed.
func (c *consumer) work(acked *tally, n int, ack func(*message.Message) bool) {
	for range n {
		acked.workers.Go(func() {
			for m := range c.messages {
				if !ack(m) {
					m.Nack()
					continue
				}
				acked.add(m.UUID)
				m.Ack()
			}
		})
	}
}

// always acks every message.
func always(*message.Message) bool { return true }

// ids returns the sorted ids of the added messages.
func (l *tally) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.list))
}

// want waits for the workers and asserts which messages were acked.
func (l *tally) want(q *queueTest, ids []string) {
	q.Helper()
	l.workers.Wait()
	if diff := cmp.Diff(slices.Sorted(slices.Values(ids)), l.ids()); diff != "" {
		q.Errorf("acked messages (-want +got):\n%s", diff)
	}
}
