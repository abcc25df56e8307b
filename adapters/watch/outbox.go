package watch

import (
	"iter"
	"sync"
)

// mailbox holds the latest change of each key, in the order in which the keys were
// put. It is not bounded, as there are never more changes than files: put never
// blocks, so that the watcher does not wait for the publisher. Safe for concurrent
// use.
type mailbox struct {
	filled chan struct{} // holds a token if there may be changes

	mu      sync.Mutex
	keys    []string
	changes map[string]change
	taken   int // 1: a change was taken out and may not be published yet
}

func newMailbox() *mailbox {
	return &mailbox{filled: make(chan struct{}, 1), changes: make(map[string]change)}
}

// put adds a change, or replaces the one that its key has.
func (b *mailbox) put(key string, c change) {
	b.mu.Lock()
	if _, ok := b.changes[key]; !ok {
		b.keys = append(b.keys, key)
	}
	b.changes[key] = c
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// len returns how many changes are not published yet.
func (b *mailbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.keys) + b.taken
}

// all takes out one change after the other until there are none.
func (b *mailbox) all() iter.Seq2[string, change] {
	return func(yield func(string, change) bool) {
		for {
			key, c, ok := b.next()
			if !ok || !yield(key, c) {
				return
			}
		}
	}
}

// next takes out the oldest change.
func (b *mailbox) next() (key string, c change, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.keys) == 0 {
		b.taken = 0
		b.keys, b.changes = nil, make(map[string]change) // maps do not shrink
		return "", c, false
	}
	key = b.keys[0]
	c = b.changes[key]
	b.keys[0] = "" // for the garbage collector
	b.keys, b.taken = b.keys[1:], 1
	delete(b.changes, key)
	return key, c, true
}
