package redrive

import (
	"context"
	"log/slog"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// heldBytes bounds the bodies of the messages that are held back: some drivers keep them.
	heldBytes = 256 << 20
	// givingBack is how many messages are given back at a time.
	givingBack = 64
)

// kept is one message that is held back.
type kept struct {
	lease                     *queue.Lease
	size                      int
	group                     *Group
	matched, failed, cameBack bool
}

// held are the messages that are held back until the end. Safe for concurrent use.
type held struct {
	mu    sync.Mutex
	all   []kept
	bytes int
}

func (h *held) add(k kept) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, k)
	h.bytes += k.size
}

func (h *held) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

func (h *held) full(most int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) >= most || h.bytes >= heldBytes
}

// forget gives everything back, and takes it out of the counts, because it will be received again.
func (h *held) forget(t *tally, log *slog.Logger) {
	for _, k := range h.giveBack(log) {
		t.count(k.group, func(c *Tally) {
			c.Found--
			if k.matched {
				c.Matched--
			}
			if k.failed {
				c.Failed--
			}
			if k.cameBack {
				c.CameBack--
			}
		})
	}
}

// giveBack gives everything back and returns it.
func (h *held) giveBack(log *slog.Logger) []kept {
	h.mu.Lock()
	all := h.all
	h.all, h.bytes = nil, 0
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*settleTime)
	defer cancel()
	var giving sync.WaitGroup
	work := make(chan kept)
	for range min(givingBack, len(all)) {
		giving.Go(func() {
			for k := range work {
				if err := k.lease.Nack(ctx, 0); err != nil {
					log.Debug("message was not given back and comes back when its lease ends", "err", err)
				}
			}
		})
	}
	for _, k := range all {
		work <- k
	}
	close(work)
	giving.Wait()
	return all
}
