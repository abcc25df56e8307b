package redrive

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// remembered is how many messages a run remembers to have sent, at some 60 bytes each.
const remembered = 1 << 18

// memory knows the messages that a run has sent. A message with the id and the content of one of them is either that
// one, because the queue has not deleted it, or a new dead letter, or another letter about the same. Safe for concurrent use.
type memory struct {
	seed maphash.Seed

	mu   sync.Mutex
	past map[uint64]past // by mark
}

// past is a message that was sent.
type past struct {
	at      time.Time // when the queue got it
	attempt int
	sent    bool // otherwise it is on its way
}

// seen is what a run knows of a message.
type seen int

const (
	notSeen     seen = iota
	sentBefore       // a message of this content was sent, or is on its way
	sameMessage      // it is a further delivery of a message that was sent
)

func newMemory() *memory { return &memory{seed: maphash.MakeSeed(), past: make(map[uint64]past)} }

// mark identifies a message by what is the same when it becomes a dead letter again.
func (y *memory) mark(m *message.Message) uint64 {
	var h maphash.Hash
	h.SetSeed(y.seed)
	h.WriteString(m.UUID)
	h.WriteByte(0)
	h.Write(m.Payload)
	return h.Sum64()
}

// recall compares times of the queue only with each other: its clock may differ from ours. A new dead letter has a
// later time and is delivered for the first time.
func (y *memory) recall(mark uint64, d queue.Delivery) seen {
	y.mu.Lock()
	defer y.mu.Unlock()
	p, known := y.past[mark]
	switch {
	case !known:
		return notSeen
	case p.sent && !d.Sent.IsZero() && d.Sent.Equal(p.at) && d.Lease.Attempt() > p.attempt:
		return sameMessage
	default:
		return sentBefore
	}
}

func (y *memory) sending(mark uint64, d queue.Delivery) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.past) >= remembered {
		clear(y.past)
	}
	y.past[mark] = past{at: d.Sent, attempt: d.Lease.Attempt()}
}

// sent notes whether a message that was on its way has arrived.
func (y *memory) sent(mark uint64, arrived bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if p, known := y.past[mark]; known && arrived {
		p.sent = true
		y.past[mark] = p
	} else {
		delete(y.past, mark)
	}
}
