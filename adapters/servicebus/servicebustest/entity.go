package servicebustest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// entity is a queue, a subscription, or a topic.
type entity struct {
	s             *Server
	subscriptions []*entity // of a topic
	dead          *entity   // the dead-letter queue; nil: this is one

	sequence  int64
	ready     []*stored
	locked    map[uuid]*locked
	receivers []*link // in the order of their turns
}

// stored is a message of a queue or subscription.
type stored struct {
	sequence int64
	since    time.Time
	failed   uint32 // how many deliveries
	sections []byte
}

// locked is a message that a receiver holds.
type locked struct {
	*stored
	expiry *time.Timer
}

// Queue creates a queue, unless it is there.
func (s *Server) Queue(name string) { s.create(name) }

// Topic creates a topic and its subscriptions, unless they are there.
func (s *Server) Topic(name string, subscriptions ...string) {
	topic := s.create(name)
	for _, subscription := range subscriptions {
		of := s.create(fmt.Sprintf("%s/Subscriptions/%s", name, subscription))
		s.mu.Lock()
		if !slices.Contains(topic.subscriptions, of) {
			topic.subscriptions = append(topic.subscriptions, of)
		}
		s.mu.Unlock()
	}
}

func (s *Server) create(name string) *entity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entities[path(name)]; e != nil {
		return e
	}
	dead := &entity{s: s, locked: make(map[uuid]*locked)}
	e := &entity{s: s, locked: make(map[uuid]*locked), dead: dead}
	s.entities[path(name)], s.entities[path(name+"/$DeadLetterQueue")] = e, dead
	return e
}

// Left returns how many messages of a queue or subscription are not completed.
func (s *Server) Left(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entities[path(name)]
	return len(e.ready) + len(e.locked)
}

// Locked returns how many messages of a queue or subscription are locked.
func (s *Server) Locked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entities[path(name)].locked)
}

// Expire ends all locks on messages of a queue or subscription.
func (s *Server) Expire(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entities[path(name)]
	for token := range e.locked {
		e.settle(token, codeModified)
	}
}

// Detach ends the links of all receivers of a queue or subscription, as Azure does
// when it moves an entity to another machine. Locks stay.
func (s *Server) Detach(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Clone(s.entities[path(name)].receivers) {
		l.leave()
		l.send(0, l.channel, codeDetach, nil, l.handle, true, fault("amqp:link:detach-forced", "the link was moved"))
	}
}

// put adds a message; a topic gives a copy to each subscription. The caller of this
// and of the methods below holds the server's lock.
func (e *entity) put(sections []byte) {
	for _, subscription := range e.subscriptions {
		subscription.put(sections)
	}
	if e.subscriptions == nil {
		e.sequence++
		e.give(&stored{sequence: e.sequence, since: time.Now(), sections: sections})
	}
}

// give makes a message ready for receivers, in its place.
func (e *entity) give(m *stored) {
	at, _ := slices.BinarySearchFunc(e.ready, m, func(a, b *stored) int { return cmp.Compare(a.sequence, b.sequence) })
	e.ready = slices.Insert(e.ready, at, m)
	e.dispatch()
}

// dispatch sends what is ready to receivers that have credit.
func (e *entity) dispatch() {
	for len(e.ready) > 0 {
		turn := slices.IndexFunc(e.receivers, func(l *link) bool { return l.credit > 0 })
		if turn < 0 {
			return
		}
		l, m := e.receivers[turn], e.ready[0]
		e.receivers = append(slices.Delete(e.receivers, turn, turn+1), l)
		e.ready = e.ready[1:]
		var token uuid
		rand.Read(token[:])
		e.locked[token] = &locked{m, time.AfterFunc(e.s.lock, func() {
			e.s.mu.Lock()
			defer e.s.mu.Unlock()
			e.settle(token, codeModified)
		})}
		message := encode(nil, described{codeHeader, []any{true, nil, nil, nil, m.failed}})
		message = encode(message, described{codeDeliveryAnnotations, map[any]any{symbol("x-opt-lock-token"): token}})
		message = encode(message, described{codeAnnotations, map[any]any{
			symbol("x-opt-sequence-number"): m.sequence, symbol("x-opt-enqueued-time"): m.since,
			symbol("x-opt-locked-until"): time.Now().Add(e.s.lock),
		}})
		id := l.deliver(token[:], false, append(message, m.sections...))
		l.deliveries[id] = delivery{e, token}
	}
}

// settle ends a lock with an outcome. It reports whether there was one. Only an
// abandoned message (modified) counts a failed delivery, a released one does not
// (https://github.com/Azure/amqpnetlite/issues/342).
func (e *entity) settle(token uuid, outcome uint64) bool {
	m := e.locked[token]
	if m == nil {
		return false
	}
	m.expiry.Stop()
	delete(e.locked, token)
	switch outcome {
	case codeAccepted:
	case codeReleased:
		e.give(m.stored)
	case codeModified:
		if m.failed++; e.dead == nil || m.failed < e.s.MaxDeliveries {
			e.give(m.stored)
			break
		}
		fallthrough
	case codeRejected:
		e.dead.put(m.sections)
		tell(e.s.DeadLetters)
	}
	return true
}

// tell sends a value if the channel has room.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// renew makes a lock last as long again, and returns until when.
func (e *entity) renew(token uuid) (time.Time, bool) {
	m := e.locked[token]
	if m == nil || !m.expiry.Reset(e.s.lock) {
		return time.Now(), false
	}
	tell(e.s.Renewals)
	return time.Now().Add(e.s.lock), true
}
