// Package servicebustest is a stand-in for Azure Service Bus on loopback. It speaks
// as much of AMQP 1.0 as Azure's own client needs, and behaves as its documentation
// says: messages that a receiver holds are locked for a limited time, locks can be
// renewed, an expired or abandoned message is delivered again and its deliveries are
// counted, and one that failed too often moves to the dead-letter queue.
//
// It keeps messages in memory, accepts any key, and creates no entities by itself.
package servicebustest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a namespace of queues and topics.
type Server struct {
	t        testing.TB
	address  string
	lock     time.Duration
	serving  sync.WaitGroup
	listener net.Listener

	// MaxDeliveries is how often a message is delivered before it is a dead letter.
	// Start sets it to 10, the default of Azure's queues.
	MaxDeliveries uint32
	// Renewals gets a value for each lock that was renewed, as long as it has room.
	Renewals chan struct{}
	// DeadLetters gets a value for each message that became a dead letter, as long as it
	// has room.
	DeadLetters chan struct{}

	mu       sync.Mutex
	entities map[string]*entity // by path
	conns    map[*conn]struct{}
	opened   int // connections, from the start
}

// Start starts a server whose locks last for lock. It ends with the test.
func Start(t testing.TB, lock time.Duration) *Server {
	t.Helper()
	s := &Server{
		t: t, lock: lock, MaxDeliveries: 10, Renewals: make(chan struct{}, 1000), DeadLetters: make(chan struct{}, 1000),
		entities: make(map[string]*entity), conns: make(map[*conn]struct{}),
	}
	s.address = "127.0.0.1:0"
	s.Resume()
	t.Cleanup(s.Stop)
	return s
}

// Resume listens again at the same address after a Stop. The messages are those
// from before.
func (s *Server) Resume() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener, s.address = listener, listener.Addr().String()
	s.serving.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(nc)
		}
	})
}

// Stop cuts all connections and takes no others until Resume.
func (s *Server) Stop() {
	s.listener.Close()
	s.Cut()
	s.serving.Wait()
}

// Cut ends all connections, as a lost network does.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// ConnectionString returns what a client needs to connect without TLS.
func (s *Server) ConnectionString() string {
	return "Endpoint=sb://" + s.address + ";SharedAccessKeyName=test;SharedAccessKey=geheim;UseDevelopmentEmulator=true"
}

// Connections returns how many connections were opened.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// conn is one connection of a client.
type conn struct {
	net.Conn
	s        *Server
	out      chan []byte
	gone     chan struct{} // closed when nothing can be sent
	maxFrame int
	sessions map[uint16]*session
}

func (s *Server) serve(nc net.Conn) {
	out := make(chan []byte, 1<<14)
	c := &conn{
		Conn: nc, s: s, out: out, gone: make(chan struct{}),
		maxFrame: 512, sessions: make(map[uint16]*session),
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.opened++
	s.mu.Unlock()
	s.serving.Go(func() {
		defer close(c.gone)
		for frame := range out {
			if _, err := nc.Write(frame); err != nil {
				nc.Close()
				return
			}
		}
	})
	s.serving.Go(func() {
		defer func() {
			if fault := recover(); fault != nil {
				s.t.Errorf("the client sent what the server does not understand: %v", fault)
			}
			nc.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
			for _, ss := range c.sessions {
				ss.end()
			}
			c.sessions = nil
			close(out)
			c.out = nil // nothing is sent any more
		}()
		for c.read() == nil {
		}
	})
}

// read handles one protocol header or frame.
func (c *conn) read() error {
	head := make([]byte, 8)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	if string(head[:4]) == "AMQP" {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		c.write(head)
		if head[4] == 3 { // with SASL
			c.send(1, 0, codeMechanisms, nil, symbol("ANONYMOUS"))
		}
		return nil
	}
	frame := make([]byte, binary.BigEndian.Uint32(head)-8)
	if _, err := io.ReadFull(c, frame); err != nil {
		return err
	}
	frame = frame[4*int(head[4])-8:]
	if len(frame) == 0 {
		return nil // keeps the connection alive
	}
	v, payload := decode(frame)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.handle(binary.BigEndian.Uint16(head[6:]), v.(described), payload)
}

// send queues a frame. kind is 0 for AMQP and 1 for SASL.
func (c *conn) send(kind byte, channel uint16, code uint64, payload []byte, fields ...any) {
	b := binary.BigEndian.AppendUint16([]byte{0, 0, 0, 0, 2, kind}, channel)
	b = append(encode(b, described{code, fields}), payload...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	c.write(b)
}

func (c *conn) write(b []byte) {
	if c.out == nil {
		return
	}
	select {
	case c.out <- b:
	case <-c.gone:
	}
}

// handle acts on a performative. The caller holds the server's lock.
func (c *conn) handle(channel uint16, p described, payload []byte) error {
	ss := c.sessions[channel]
	switch p.code {
	case codeSASLInit:
		c.send(1, channel, codeOutcome, nil, uint8(0))
	case codeOpen:
		c.maxFrame = 1 << 20
		if n, ok := p.field(2).(uint32); ok {
			c.maxFrame = int(min(n, 1<<20))
		}
		c.send(0, 0, codeOpen, nil, "servicebustest", nil, uint32(1<<20), uint16(1<<15))
	case codeBegin:
		next, _ := p.field(1).(uint32)
		c.sessions[channel] = &session{conn: c, channel: channel, incoming: next, links: make(map[uint32]*link), deliveries: make(map[uint32]delivery)}
		c.send(0, channel, codeBegin, nil, channel, uint32(0), uint32(window), uint32(window))
	case codeAttach:
		ss.attach(p)
	case codeFlow:
		ss.flow(p)
	case codeTransfer:
		ss.transfer(p, payload)
	case codeDisposition:
		ss.disposition(p)
	case codeDetach:
		if l := ss.links[p.field(0).(uint32)]; l != nil {
			l.leave()
			c.send(0, channel, codeDetach, nil, l.handle, true)
		}
	case codeEnd:
		ss.end()
		delete(c.sessions, channel)
		c.send(0, channel, codeEnd, nil)
	case codeClose:
		c.send(0, 0, codeClose, nil)
		return errors.New("closed by the client")
	default:
		return fmt.Errorf("unknown performative %#x", p.code)
	}
	return nil
}

// path is how entities are told apart: their names ignore case.
func path(address string) string { return strings.ToLower(address) }
