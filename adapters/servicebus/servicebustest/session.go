package servicebustest

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// window is how many transfers a side may send before it hears of the other.
const window = 1 << 30

// session is a session of a connection.
type session struct {
	*conn
	channel    uint16
	incoming   uint32 // the id of the next transfer that comes
	outgoing   uint32 // and of the next one that goes
	links      map[uint32]*link
	deliveries map[uint32]delivery // sent and not settled, by delivery id
}

// delivery is a locked message, as a receiver knows it.
type delivery struct {
	of    *entity
	token uuid
}

// link is a sender or receiver of the client.
type link struct {
	*session
	handle   uint32
	address  string // of the entity, "$cbs" or ENTITY/$management
	replies  string // the client's address, where it expects answers
	of       *entity
	receives bool   // the client does
	credit   uint32 // how many messages it may still get
	count    uint32 // how many it got or sent
	partial  []byte // of a message in several transfers
	id       uint32 // its delivery id
}

func (ss *session) attach(p described) {
	l := &link{session: ss, handle: p.field(1).(uint32), receives: p.field(2) == true}
	source, target := p.field(5), p.field(6)
	from, _ := source.(described)
	to, _ := target.(described)
	if l.receives {
		l.address, _ = from.field(0).(string)
		l.replies, _ = to.field(0).(string)
	} else {
		l.address, _ = to.field(0).(string)
	}
	entity, managed := strings.CutSuffix(path(l.address), "/$management")
	l.of = ss.s.entities[entity]
	if l.of == nil && l.address != "$cbs" {
		ss.send(0, ss.channel, codeAttach, nil, p.field(0), l.handle, !l.receives, p.field(3), p.field(4), nil, nil)
		ss.send(0, ss.channel, codeDetach, nil, l.handle, true, fault("amqp:not-found", "the messaging entity '"+l.address+"' could not be found"))
		return
	}
	ss.links[l.handle] = l
	ss.send(0, ss.channel, codeAttach, nil, p.field(0), l.handle, !l.receives, p.field(3), p.field(4), source, target, nil, nil, uint32(0), uint64(1<<20))
	switch {
	case !l.receives:
		l.grant()
	case l.of != nil && !managed:
		l.of.receivers = append(l.of.receivers, l)
	}
}

func fault(condition, description string) described {
	return described{codeError, []any{symbol(condition), description}}
}

// grant lets the client send more messages.
func (l *link) grant() {
	l.send(0, l.channel, codeFlow, nil, l.incoming, uint32(window), l.outgoing, uint32(window), l.handle, l.count, uint32(1000))
}

// flow gives a receiver credit.
func (ss *session) flow(p described) {
	handle, ok := p.field(4).(uint32)
	l := ss.links[handle]
	if !ok || l == nil || !l.receives {
		return
	}
	count, _ := p.field(5).(uint32)
	credit, _ := p.field(6).(uint32)
	l.credit = count + credit - l.count
	if l.of != nil {
		l.of.dispatch()
	}
}

// transfer takes a message, or a part of one, from a sender.
func (ss *session) transfer(p described, payload []byte) {
	ss.incoming++
	l := ss.links[p.field(0).(uint32)]
	if l == nil {
		return // its detach is on the way
	}
	if id, ok := p.field(1).(uint32); ok {
		l.id = id
	}
	l.partial = append(l.partial, payload...)
	if p.field(5) == true {
		return
	}
	m := parse(l.partial)
	l.partial = nil
	l.count++
	if p.field(4) != true {
		ss.send(0, ss.channel, codeDisposition, nil, true, l.id, l.id, true, described{codeAccepted, []any{}})
	}
	l.grant()
	if l.of == nil || strings.HasSuffix(path(l.address), "/$management") {
		l.answer(m)
		return
	}
	l.of.put(m.stored)
}

// disposition settles messages of a receiver.
func (ss *session) disposition(p described) {
	if p.field(0) != true {
		return // of answers, which are settled
	}
	first := p.field(1).(uint32)
	last, ok := p.field(2).(uint32)
	if !ok {
		last = first
	}
	state, _ := p.field(4).(described)
	for id := first; id <= last; id++ {
		d, known := ss.deliveries[id]
		if !known {
			continue
		}
		delete(ss.deliveries, id)
		answer := state
		if !d.of.settle(d.token, state.code) {
			answer = described{codeRejected, []any{fault("com.microsoft:message-lock-lost", "the lock supplied is invalid")}}
		}
		ss.send(0, ss.channel, codeDisposition, nil, false, id, id, true, answer)
	}
}

// deliver sends a message through a receiver's link, in as many frames as it needs.
func (l *link) deliver(tag []byte, settled bool, message []byte) uint32 {
	id := l.outgoing
	l.count++
	l.credit--
	for first := true; first || len(message) > 0; first = false {
		n := min(len(message), l.maxFrame-512)
		fields := []any{l.handle, nil, nil, nil, settled, n < len(message)}
		if first {
			fields = []any{l.handle, id, tag, uint32(0), settled, n < len(message)}
		}
		l.send(0, l.channel, codeTransfer, message[:n], fields...)
		message = message[n:]
		l.outgoing++
	}
	return id
}

// leave ends a link.
func (l *link) leave() {
	delete(l.links, l.handle)
	if l.of != nil {
		l.of.receivers = slices.DeleteFunc(l.of.receivers, func(other *link) bool { return other == l })
	}
}

func (ss *session) end() {
	for _, l := range ss.links {
		l.leave()
	}
}

// answer does what a request to $cbs or to an entity's $management asks for.
func (l *link) answer(request body) {
	status, value := int32(200), map[any]any{}
	tokens, _ := request.value["lock-tokens"].([]any)
	switch request.named["operation"] {
	case "put-token": // any will do
		status = 202
	case "com.microsoft:peek-message":
		status = 204 // no message there
	case "com.microsoft:renew-lock":
		var until []time.Time
		for _, token := range tokens {
			t, ok := l.of.renew(token.(uuid))
			if !ok {
				status = 410
			}
			until = append(until, t)
		}
		value["expirations"] = until
	case "com.microsoft:update-disposition":
		outcome := map[any]uint64{"completed": codeAccepted, "abandoned": codeModified, "suspended": codeRejected}[request.value["disposition-status"]]
		for _, token := range tokens {
			if !l.of.settle(token.(uuid), outcome) {
				status = 410
			}
		}
	default:
		status = 501
	}
	to, _ := request.properties.field(4).(string)
	message := encode(nil, described{codeProperties, []any{nil, nil, nil, nil, nil, request.properties.field(0)}})
	message = encode(message, described{codeApplicationProperties, map[any]any{"statusCode": status, "statusDescription": "of the stand-in"}})
	message = encode(message, described{codeMessageValue, value})
	for _, back := range l.links {
		if back.receives && back.replies == to {
			back.deliver(binary.BigEndian.AppendUint32(nil, back.outgoing), true, message)
		}
	}
}
