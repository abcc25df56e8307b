package cloudpubsub

import "sync"

// trackedMessages bounds how many messages are counted at a time.
const trackedMessages = 1 << 16

// attempts counts the deliveries of messages that were not acked yet, for
// queues that do not count. It sees the deliveries of this process only, and
// starts anew if too many messages are redelivered by others and never come back.
type attempts struct {
	mu sync.Mutex
	n  map[string]int
}

// next returns which delivery of the message this is, from 1.
func (a *attempts) next(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n == nil || len(a.n) >= trackedMessages {
		a.n = make(map[string]int)
	}
	a.n[id]++
	return a.n[id]
}

func (a *attempts) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.n, id)
}
