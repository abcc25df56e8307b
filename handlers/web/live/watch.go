package live

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what watches cost.
const (
	// MaxWatches is how many watches an Activity has at the same time.
	MaxWatches = 128
	// watchTick is how long events are gathered. All watches return the same bytes, which are encoded
	// once, so that a client costs one write: a write for each event and client would cost more than the work itself.
	watchTick = 250 * time.Millisecond
	// pulseEvery is the shortest time between two states.
	pulseEvery  = time.Second
	maxGathered = 1000      // events of a tick; those beyond it are counted
	maxBatch    = 256 << 10 // bytes of a tick; the same
	keptBatches = 16        // how many ticks a watch may be late
)

// Names of events.
const (
	eventResult  = "result"
	eventFailure = "failure"
	eventStatus  = "status"
	eventMissed  = "missed"
)

// Pulse is what changes often in a Status, without the lists. Fields may be added and are never renamed.
type Pulse struct {
	Totals      Totals `json:"totals"`
	InWorkCount int    `json:"in_work_count"` // number of objects that are being read
	InWorkRead  int64  `json:"in_work_read"`  // bytes of these objects that were read so far
}

// missed says how many results and failures a watch did not return.
type missed struct {
	Count int64 `json:"count"`
}

// Kinds says which events a watch has.
type Kinds bool

// The kinds of events.
const (
	AllEvents  Kinds = false
	StatusOnly Kinds = true
)

// hub distributes the events of an Activity. Without watches, it does nothing.
type hub struct {
	look   func() state // takes the Activity's mutex
	active atomic.Bool  // there are watches

	// The Activity's mutex is never taken while this one is held: events come under that one.
	mu       sync.Mutex
	watches  map[*Watch]struct{}
	timer    *time.Timer
	gathered []event // since the last tick
	total    int64   // events so far, including those that were not gathered
	batched  int64   // value of total up to which events are in batches
	batches  []batch // the last ones, oldest first
	state    state   // the last one that was distributed
	stateAt  time.Time
}

// state is an event of the state. States are numbered in the order in which the totals were looked at.
type state struct {
	number int64
	text   []byte
}

type event struct {
	kind string
	data any
}

// batch is the text of the events of a tick.
type batch struct {
	text     []byte
	from, to int64 // values of hub.total before and after these events
}

// Watch receives events. A slow receiver misses events and never delays the work.
type Watch struct {
	hub   *hub
	kinds Kinds
	wake  chan struct{}

	// The hub's mutex guards these.
	seen  int64  // value of hub.total up to which events were received or counted as missed
	first []byte // the state when the watch began; nil when it was received
	state int64  // number of the last state that was received, or is to be received first
}

// Watch returns a new watch of the events from now on, or false if there are too many. The caller must close it.
func (a *Activity) Watch(kinds Kinds) (*Watch, bool) {
	h := &a.hub
	a.mu.Lock() // no event comes between the first state and the first events
	defer a.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watches) == MaxWatches {
		return nil, false
	}
	first := a.state()
	if len(h.watches) == 0 {
		h.watches = make(map[*Watch]struct{})
		h.state, h.stateAt = first, time.Now()
		h.active.Store(true)
		h.timer = time.AfterFunc(watchTick, h.tick)
	}
	w := &Watch{hub: h, kinds: kinds, wake: make(chan struct{}, 1), seen: h.total, first: first.text, state: first.number}
	h.watches[w] = struct{}{}
	w.changed()
	return w, true
}

// Close ends the watch.
func (w *Watch) Close() {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watches, w)
	if len(h.watches) > 0 {
		return
	}
	h.active.Store(false)
	h.timer.Stop()
	h.gathered, h.batched, h.batches = nil, h.total, nil
}

// Changed has an element when there may be something for Next.
func (w *Watch) Changed() <-chan struct{} { return w.wake }

func (w *Watch) changed() {
	select {
	case w.wake <- struct{}{}:
	default: // it has not received the last element yet
	}
}

// Next returns what the watch has not received yet, as Server-Sent Events. The caller must not change the bytes.
// The state is in the first answer, and again when it has changed. Results and failures are left out if the watch
// is too late, and counted in an event "missed".
func (w *Watch) Next() [][]byte {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts [][]byte
	if w.first != nil {
		texts, w.first = append(texts, w.first), nil
	}
	for _, b := range h.batches {
		if w.kinds == StatusOnly || b.to <= w.seen {
			continue
		}
		if b.from > w.seen {
			texts = append(texts, encode(eventMissed, missed{b.from - w.seen}))
		}
		texts = append(texts, b.text)
		w.seen = b.to
	}
	if h.state.number > w.state {
		w.state = h.state.number
		texts = append(texts, h.state.text)
	}
	return texts
}

// publish gathers an event for the watches. The caller looks at active first, because a call costs memory.
func (h *hub) publish(kind string, data any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watches) == 0 {
		return
	}
	h.total++
	if len(h.gathered) < maxGathered {
		h.gathered = append(h.gathered, event{kind, data})
	}
}

// tick distributes what was gathered, and the state if it has changed. It looks at the state first, so that a client
// never reads a total before the result or failure that made it. It encodes without the mutex, because the work waits
// for that when it publishes.
func (h *hub) tick() {
	now := h.look()
	h.mu.Lock()
	gathered, b := h.gathered, batch{from: h.batched, to: h.total}
	h.gathered, h.batched = nil, h.total
	h.mu.Unlock()
	b.encode(gathered)

	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watches) == 0 {
		return // closed meanwhile
	}
	h.timer.Reset(watchTick)
	if b.to > b.from {
		if len(h.batches) == keptBatches {
			h.batches = slices.Delete(h.batches, 0, 1)
		}
		h.batches = append(h.batches, b)
	}
	renewed := !bytes.Equal(now.text, h.state.text) && time.Since(h.stateAt) >= pulseEvery
	if renewed {
		h.state, h.stateAt = now, time.Now()
	}
	for w := range h.watches {
		if renewed || b.to > b.from && w.kinds == AllEvents {
			w.changed()
		}
	}
}

// encode sets the text of a batch to the events that were gathered, and the number of the others.
func (b *batch) encode(gathered []event) {
	lost := b.to - b.from
	for _, e := range gathered {
		text := encode(e.kind, e.data)
		if len(b.text)+len(text) > maxBatch {
			break
		}
		b.text = append(b.text, text...)
		lost--
	}
	if lost > 0 {
		b.text = append(b.text, encode(eventMissed, missed{lost})...)
	}
}

// encode returns an event as text.
func encode(kind string, data any) []byte {
	body, err := JSON(data)
	if err != nil {
		return nil // cannot happen: every field can be encoded
	}
	text := make([]byte, 0, len(body)+32)
	text = append(append(append(text, "event: "...), kind...), "\ndata: "...)
	return append(append(text, body...), "\n\n"...)
}
