// Package ordered works on many items at once and delivers the results in the order of the items.
package ordered

import (
	"cmp"
	"context"
	"iter"
	"sync"
)

// Window is how many results may wait for an earlier one, unless Work says otherwise: one huge file does not hold up many
// small ones, and memory stays bounded.
const Window = 4096

// Work works on many items at once. It is used for one run.
type Work[T any] struct {
	Width  int // items in work at the same time
	Window int // results that may wait for an earlier one; 0: Window
	// Alone reports whether the work on an item must begin after the results of all items before it were delivered,
	// and end before any later work begins. nil: no item needs that.
	Alone func(T) bool
	Do    func(T) T
	// Tell receives consecutive results as soon as they are there, in one call at a time. It must not keep the slice. An
	// error stops all work.
	Tell func([]T) error

	// taking is full while a worker takes an item, or works on it alone. It is no mutex, because a wait for items would
	// stop the clock of testing/synctest.
	taking chan struct{}
	ctx    context.Context
	next   func() (T, bool)
	taken  int

	mu      sync.Mutex
	changed sync.Cond // head has grown, or err is set
	results map[int]T // waiting for their turn
	turn    []T       // what Tell receives, in one array for all turns
	head    int       // of the first result that was not delivered
	telling bool
	err     error
	workers int
	ended   sync.WaitGroup
}

// Run returns when all work is done and all goroutines have ended. It returns the error of Tell, or the cause of the
// end of ctx. The items are taken by one goroutine at a time.
func (o *Work[T]) Run(ctx context.Context, items iter.Seq[T]) error {
	next, stop := iter.Pull(items)
	defer stop()
	o.ctx, o.next, o.results, o.taking = ctx, next, make(map[int]T), make(chan struct{}, 1)
	o.changed.L = &o.mu
	unwatch := context.AfterFunc(ctx, func() { o.fail(context.Cause(ctx)) })
	defer unwatch()
	o.spawn()
	o.ended.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return o.err
}

// spawn starts a worker unless Width are running.
func (o *Work[T]) spawn() {
	if o.workers < o.Width {
		o.workers++
		o.ended.Go(func() {
			for o.step() {
			}
		})
	}
}

// step works on one item and reports whether to continue.
func (o *Work[T]) step() bool {
	o.taking <- struct{}{}
	item, ok := o.next()
	if !ok {
		<-o.taking
		return false
	}
	place := o.taken
	o.taken++
	if o.Alone != nil && o.Alone(item) {
		defer func() { <-o.taking }()
		return o.wait(place) && o.done(place, o.Do(item))
	}
	ok = o.wait(place - cmp.Or(o.Window, Window))
	if ok {
		o.spawn()
	}
	<-o.taking
	return ok && o.done(place, o.Do(item))
}

// wait waits until all results before a place were delivered, and reports whether to
// continue.
func (o *Work[T]) wait(place int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.head < place && o.err == nil {
		o.changed.Wait()
	}
	return o.err == nil
}

// fail stops all work.
func (o *Work[T]) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.changed.Broadcast()
}

// done adds a result and, unless another worker is at it, delivers the results whose
// turn it is. It reports whether to continue.
func (o *Work[T]) done(place int, result T) bool {
	o.mu.Lock()
	o.results[place] = result
	for !o.telling && o.err == nil && o.ctx.Err() == nil {
		turn := o.turn[:0]
		for {
			r, ok := o.results[o.head+len(turn)]
			if !ok {
				break
			}
			delete(o.results, o.head+len(turn))
			turn = append(turn, r)
		}
		if len(turn) == 0 {
			break
		}
		o.telling = true
		o.mu.Unlock()
		err := o.Tell(turn)
		clear(turn)
		o.mu.Lock()
		o.turn, o.telling = turn, false
		o.head += len(turn)
		if err != nil && o.err == nil {
			o.err = err
		}
		o.changed.Broadcast()
	}
	defer o.mu.Unlock()
	return o.err == nil && o.ctx.Err() == nil
}
