package watch

import (
	"iter"
	"sync"
)

// mailbox holds the latest value of each key, in the order in which the keys were
// put. It is not bounded, as there are never more values than files: put never
// blocks, so that the watcher does not wait for the publisher. Safe for concurrent
// use.
type mailbox[V any] struct {
	filled chan struct{} // holds a token if there may be values

	mu     sync.Mutex
	keys   []string
	values map[string]V
}

func newMailbox[V any]() *mailbox[V] {
	return &mailbox[V]{filled: make(chan struct{}, 1), values: make(map[string]V)}
}

// put adds a value, or replaces the one that its key has.
func (b *mailbox[V]) put(key string, value V) {
	b.mu.Lock()
	if _, ok := b.values[key]; !ok {
		b.keys = append(b.keys, key)
	}
	b.values[key] = value
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// all takes out one value after the other until there are none.
func (b *mailbox[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for {
			key, value, ok := b.next()
			if !ok || !yield(key, value) {
				return
			}
		}
	}
}

// next takes out the oldest value.
func (b *mailbox[V]) next() (key string, value V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.keys) == 0 {
		b.keys, b.values = nil, make(map[string]V) // maps do not shrink
		return "", value, false
	}
	key = b.keys[0]
	value = b.values[key]
	b.keys[0] = "" // for the garbage collector
	b.keys = b.keys[1:]
	delete(b.values, key)
	return key, value, true
}
