// Package freeport finds ports for the servers of tests.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that this process has returned.
var given sync.Map

// Find returns a free port of the loopback interface, a different one for each call.
//
// The port is below the ephemeral ports that systems give to outgoing connections
// (from 32768 on Linux). So a server that is restarted finds its port free, and a
// client that dials it again and again meanwhile never gets this very port as its
// own, which would connect the client to itself.
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
		_ = l.Close() // only the attempt matters
		return port
	}
	t.Fatalf("found no free port: %v", last)
	return ""
}
