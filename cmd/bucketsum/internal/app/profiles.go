package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
)

// checkLoopback returns why an address is not HOST:PORT on the loopback interface, or
// nil. The empty address is valid.
func checkLoopback(address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return fmt.Errorf("--pprof: %q is not HOST:PORT, such as 127.0.0.1:6060", address)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("--pprof: %q can be reached from other machines, and profiles disclose too much; use 127.0.0.1:PORT and a tunnel such as kubectl port-forward", address)
	}
	return nil
}

// serveProfiles listens on a loopback address, and returns a function that serves Go's
// profiles there until its context ends.
func serveProfiles(address string, log *slog.Logger) (func(context.Context) error, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenFault("--pprof", address, "or leave --pprof out", err)
	}
	// The name localhost may resolve to any address.
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		_ = l.Close()
		return nil, fmt.Errorf("--pprof: %s is not a loopback address", l.Addr())
	}
	log.Info("serving profiles", "pprof", l.Addr().String())
	return func(ctx context.Context) error {
		return web.Serve(ctx, nil, l, web.Profiles(), time.Second, nil, log)
	}, nil
}
