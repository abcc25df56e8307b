// Package bounds limits what clients of the HTTP side can use: connections, and requests in a time.
package bounds

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// MaxConnections is how many a server should have: enough for many probes and people, and less than the
	// usual 1,024 files of a process. Connections beyond it wait in the system's queue.
	MaxConnections = 512
	// spareConnections are kept free of connections that wait, for probes.
	spareConnections = 16
	// leastWait is the time that a client has for its request if few connections are left.
	leastWait = 500 * time.Millisecond
)

// Connections are those of a server. When few are left, it closes those that have waited longest for a request:
// idle clients must not keep probes out. Safe for concurrent use.
type Connections struct {
	open sync.WaitGroup

	mu      sync.Mutex
	count   int
	waiting list.List // of waiting, the longest first
	places  map[net.Conn]*list.Element
	closing map[net.Conn]bool // those that trim has closed, which no longer count
	drains  bool
	later   *time.Timer // looks again when a connection has waited long enough
}

// waiting is a connection without a request.
type waiting struct {
	conn  net.Conn
	since time.Time
}

// NewConnections returns the connections of a new server, which has none.
func NewConnections() *Connections {
	return &Connections{places: make(map[net.Conn]*list.Element), closing: make(map[net.Conn]bool)}
}

// Changed is the ConnState of the server.
func (c *Connections) Changed(conn net.Conn, state http.ConnState) {
	ended := state == http.StateClosed || state == http.StateHijacked
	if state == http.StateNew {
		c.open.Add(1)
	}
	c.mu.Lock()
	if place := c.places[conn]; place != nil {
		c.waiting.Remove(place)
		delete(c.places, conn)
	}
	switch {
	case state == http.StateNew || state == http.StateIdle:
		c.places[conn] = c.waiting.PushBack(waiting{conn, time.Now()})
		if state == http.StateNew {
			c.count++
		}
	case ended && c.closing[conn]:
		delete(c.closing, conn)
	case ended:
		c.count--
	}
	c.mu.Unlock()
	c.trim()
	if ended {
		c.open.Done()
	}
}

// Drain closes the connections that wait for a request, from now on: http.Server.Shutdown leaves those of HTTP/2 open whose
// handshake ends after its beginning.
func (c *Connections) Drain() {
	c.mu.Lock()
	c.drains = true
	c.mu.Unlock()
	c.trim()
}

// Wait waits until all connections are closed.
func (c *Connections) Wait() { c.open.Wait() }

// trim closes connections that wait while few are left, or the server drains.
func (c *Connections) trim() {
	for {
		longest := c.longest()
		if longest == nil {
			return
		}
		_ = longest.Close() // its client sees the same after the idle timeout
	}
}

// longest returns the connection that must be closed, if any.
func (c *Connections) longest() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.waiting.Front()
	if first == nil || !c.drains && c.count <= MaxConnections-spareConnections {
		return nil
	}
	w := first.Value.(waiting)
	if left := leastWait - time.Since(w.since); left > 0 {
		if c.later == nil {
			c.later = time.AfterFunc(left, c.trim)
		} else {
			c.later.Reset(left)
		}
		return nil
	}
	c.waiting.Remove(first)
	delete(c.places, w.conn)
	c.closing[w.conn] = true
	c.count--
	return w.conn
}
