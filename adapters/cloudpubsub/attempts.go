package cloudpubsub

import "sync"

// trackedMessages bounds how many messages are counted at a time, at some 100
// bytes each.
const trackedMessages = 1 << 16

// attempts counts the nacks of messages that were not acked yet, since the queue
// does not count deliveries. It starts again from nothing if too many messages
// were nacked and never came back.
type attempts struct {
	mu    sync.Mutex
	nacks map[string]int // by message id
}

// next returns which delivery the message's next one is, from 1.
func (a *attempts) next(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nacks[id] + 1
}

func (a *attempts) nacked(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.nacks[id]; !known && len(a.nacks) >= trackedMessages || a.nacks == nil {
		a.nacks = make(map[string]int)
	}
	a.nacks[id]++
}

func (a *attempts) acked(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.nacks, id)
}
