package bounds

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

const (
	// A client may send so many requests a second, and so many at once: a lookup asks the store, which costs.
	requestRate  = 100
	requestBurst = 200
	// maxClients bounds the clients that are remembered: twice as many at most.
	maxClients = 4096
)

// Clients limit the requests of each client. The zero value has seen none. Safe for concurrent use.
type Clients struct {
	mu            sync.Mutex
	recent, older map[netip.Prefix]*rate.Limiter
}

// Admit reports whether a client may send one more request now. One on this machine always may.
func (c *Clients) Admit(client netip.Prefix) bool {
	if !client.IsValid() || client.Addr().IsLoopback() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.recent[client]
	if l == nil {
		if l = c.older[client]; l == nil {
			l = rate.NewLimiter(requestRate, requestBurst)
		}
		if len(c.recent) >= maxClients || c.recent == nil {
			c.recent, c.older = make(map[netip.Prefix]*rate.Limiter), c.recent
		}
		c.recent[client] = l
	}
	return l.Allow()
}

// ClientOf returns the address of a client, or the network of an IPv6 client, which has many addresses. It is the zero
// value if the address is unknown.
func ClientOf(r *http.Request) netip.Prefix {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() && !a.IsLoopback() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}
