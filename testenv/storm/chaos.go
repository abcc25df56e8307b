package storm

import (
	"context"
	"math"
	"sync"
	"time"
)

// chaos does what faults do by time, until ctx ends.
func (s *storm) chaos(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, l := range s.lanes {
		running.Go(func() { s.harass(ctx, l, &running) })
	}
	running.Go(func() { s.outages(ctx) })
	running.Go(func() { s.fillDisks(ctx) })
	running.Go(func() {
		for ctx.Err() == nil {
			pause(ctx, 400*time.Millisecond)
			if !s.proxy.faults.Load().has("sqs-twice") {
				continue
			}
			for _, l := range s.lanes {
				if l.queue != nil && l.queue.server.Redeliver(l.queue.name, 0, 2) > 0 {
					s.proxy.faultsServed.add("sqs-twice")
				}
			}
		}
	})
}

// harass kills, freezes and drains workers of a lane.
func (s *storm) harass(ctx context.Context, l *lane, running *sync.WaitGroup) {
	for ctx.Err() == nil {
		pause(ctx, s.chaosDice.between(s.killEvery/2, s.killEvery*3/2))
		var todo []string
		f := s.proxy.faults.Load()
		for _, name := range []string{"kill", "kill", "freeze", "drain"} {
			if f.has(name) {
				todo = append(todo, name)
			}
		}
		if len(todo) == 0 || ctx.Err() != nil {
			continue
		}
		name := todo[s.chaosDice.below(int64(len(todo)))]
		w := l.workers[s.chaosDice.below(int64(len(l.workers)))]
		switch {
		case name == "freeze":
			running.Go(func() {
				w.freeze(ctx, s.chaosDice.between(queueSeconds*time.Second+time.Second, 2*queueSeconds*time.Second))
			})
		case w.survivor:
		case name == "kill":
			w.kill()
		default:
			running.Go(func() { w.drain(ctx) })
		}
	}
}

// fillDisks lets the disks of folders be full for a while, again and again.
func (s *storm) fillDisks(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, s.chaosDice.between(2*time.Second, 6*time.Second))
		if f := s.proxy.faults.Load(); !f.has("disk-full") || len(f.names) > 2 && s.chaosDice.float() < 0.5 {
			continue
		}
		for _, l := range s.lanes {
			f, ok := l.places[0].store.(*folderStore)
			if !ok || f.fill == nil {
				continue
			}
			if err := f.setFull(true); err != nil {
				s.fault("the storm cannot fill a disk: %v", err)
			}
			s.events.add("disk full")
			pause(ctx, s.chaosDice.between(time.Second, 4*time.Second))
			if err := f.setFull(false); err != nil {
				s.fault("the storm cannot make room on a disk: %v", err)
			}
		}
	}
}

// outages lets the store and SQS refuse everything for a while, again and again.
func (s *storm) outages(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, s.chaosDice.between(2*time.Second, 6*time.Second))
		f := s.proxy.faults.Load()
		if len(f.names) > 2 { // with many kinds, outages are rare
			pause(ctx, s.chaosDice.upTo(10*time.Second))
		}
		until := time.Now().Add(s.chaosDice.between(time.Second, 4*time.Second)).UnixNano()
		switch store, sqs := f.has("outage"), f.has("sqs-outage"); {
		case store && (!sqs || s.chaosDice.float() < 0.5):
			s.proxy.storeOutage.Store(until)
			s.events.add("store outage")
		case sqs:
			s.proxy.sqsOutage.Store(until)
			s.events.add("SQS outage")
		}
	}
}

// calm ends all faults.
func (s *storm) calm() {
	s.proxy.faults.Store(none)
	s.proxy.storeOutage.Store(math.MinInt64)
	s.proxy.sqsOutage.Store(math.MinInt64)
}
