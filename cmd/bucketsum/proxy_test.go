package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is a TCP proxy before a server, with connections that a test can cut. It ends
// with its test.
type proxy struct {
	listener net.Listener
	server   string
	running  sync.WaitGroup

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &proxy{listener: l, server: server, conns: make(map[net.Conn]bool)}
	c.running.Go(c.accept)
	t.Cleanup(func() {
		l.Close()
		c.cut()
		c.running.Wait()
	})
	return c
}

// address returns the address that clients connect to.
func (c *proxy) address() string { return c.listener.Addr().String() }

func (c *proxy) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.running.Go(func() { c.carry(conn) })
	}
}

func (c *proxy) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.hold(near, far) {
		return
	}
	c.running.Go(func() {
		io.Copy(far, near)
		far.Close() // so that the other direction ends, too
	})
	io.Copy(near, far)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, near)
	delete(c.conns, far)
}

// hold registers the connections, so that cut closes them. It reports false after a
// cut.
func (c *proxy) hold(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return false
	}
	for _, conn := range conns {
		c.conns[conn] = true
	}
	return true
}

// cut closes every connection, and refuses new ones until mend.
func (c *proxy) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = true
	for conn := range c.conns {
		conn.Close()
	}
}

func (c *proxy) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}
