// Package freeport finds ports for the servers of tests.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

var (
	mu sync.Mutex
	// given are open as long as the process runs.
	given []net.PacketConn
)

// Find returns a free port of the loopback interface, a different one for each call.
//
// The port is below the ephemeral ports that systems give to outgoing connections
// (from 32768 on Linux). So a server that is restarted finds its port free, and a
// client that dials it again and again meanwhile never gets this very port as its
// own, which would connect the client to itself.
//
// Nor does another test binary get the port while the server is down: the process holds
// the UDP port of the same number, which only one of them can have.
func Find(t testing.TB) string {
	t.Helper()
	var last error
	for range 1000 {
		port := strconv.Itoa(20000 + rand.N(12000))
		address := net.JoinHostPort("127.0.0.1", port)
		held, err := net.ListenPacket("udp", address)
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			_ = held.Close() // it reserves nothing
			continue
		}
		_ = l.Close() // only the attempt matters
		mu.Lock()
		given = append(given, held)
		mu.Unlock()
		return port
	}
	t.Fatalf("found no free port: %v", last)
	return ""
}
