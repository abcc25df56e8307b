// Package keylock locks by key: work on one key waits, work on others does not.
package keylock

import (
	"context"
	"sync"
)

// Locks lets one goroutine at a time hold a key. Keys that are neither held nor
// waited for take no memory. The zero value is ready; safe for concurrent use.
type Locks[K comparable] struct {
	mu   sync.Mutex
	keys map[K]*lock
}

type lock struct {
	token chan struct{} // full while the key is held
	users int           // goroutines that hold the key or wait for it
}

// Lock waits until the key is free and takes it. The caller must call unlock
// once. If ctx ends during the wait, Lock returns the cause of that.
func (l *Locks[K]) Lock(ctx context.Context, key K) (unlock func(), err error) {
	k := l.enter(key)
	select {
	case k.token <- struct{}{}: // a free key is taken even if ctx has ended
	default:
		select {
		case k.token <- struct{}{}:
		case <-ctx.Done():
			l.leave(key, k)
			return nil, context.Cause(ctx)
		}
	}
	return func() {
		<-k.token
		l.leave(key, k)
	}, nil
}

func (l *Locks[K]) enter(key K) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[key]
	if k == nil {
		k = &lock{token: make(chan struct{}, 1)}
		if l.keys == nil {
			l.keys = make(map[K]*lock)
		}
		l.keys[key] = k
	}
	k.users++
	return k
}

func (l *Locks[K]) leave(key K, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.keys, key)
	}
}
