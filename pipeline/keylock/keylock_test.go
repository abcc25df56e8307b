package keylock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func TestOneHolderPerKey(t *testing.T) {
	var (
		l      Locks[string]
		wg     sync.WaitGroup
		mu     sync.Mutex
		counts = make(map[string]int)
	)
	for i := range 200 {
		wg.Go(func() {
			key := string(rune('a' + i%3))
			unlock, err := l.Lock(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			counts[key]++
			if counts[key] != 1 {
				t.Errorf("%d goroutines hold %s, want 1", counts[key], key)
			}
			mu.Unlock()
			mu.Lock()
			counts[key]--
			mu.Unlock()
			unlock()
		})
	}
	wg.Wait()
	if len(l.keys) != 0 {
		t.Errorf("%d keys are kept, want 0", len(l.keys))
	}
}

func TestLockEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Locks[int]
		unlock, err := l.Lock(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("lease lost")
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := l.Lock(ctx, 1); err != why {
				t.Errorf("got %v, want %v", err, why)
			}
		})
		synctest.Wait()
		cancel(why)
		waiting.Wait()
		if unlock, err := l.Lock(ctx, 2); err != nil {
			t.Errorf("a free key after the end of ctx: got %v, want no error", err)
		} else {
			unlock()
		}
		unlock()
		if len(l.keys) != 0 {
			t.Errorf("%d keys are kept, want 0", len(l.keys))
		}
	})
}
