// Package freeport finds ports for the servers of tests.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that this process has found.
var given sync.Map

// Find returns a port of loopback that nobody listens on, another one each time.
//
// It is below those that systems lend to outgoing connections (from 32768 on
// Linux): a server that is started again finds its port free, and a client that
// tries again and again meanwhile is not lent the very port it dials, which
// connects it to itself.
func Find(t testing.TB) string {
	t.Helper()
	var last error
	for range 1000 {
		port := strconv.Itoa(20000 + rand.N(12000))
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			last = err
			continue
		}
		_ = l.Close() // it was only tried
		return port
	}
	t.Fatalf("no port is free: %v", last)
	return ""
}
