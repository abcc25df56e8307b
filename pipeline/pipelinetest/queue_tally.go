package pipelinetest

import (
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"
)

// tally counts messages for several workers.
type tally struct {
	full chan struct{} // closed by the worker that sees the count it waits for

	mu   sync.Mutex
	list []string
}

func newTally() *tally { return &tally{full: make(chan struct{})} }

// add returns how many there are.
func (l *tally) add(id string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, id)
	return len(l.list)
}

// ids returns what was added, sorted.
func (l *tally) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.list))
}

func (l *tally) want(q *queueTest, ids []string) {
	q.Helper()
	if diff := cmp.Diff(slices.Sorted(slices.Values(ids)), l.ids()); diff != "" {
		q.Errorf("acked messages (-want +got):\n%s", diff)
	}
}
