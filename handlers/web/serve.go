package web

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/bucketsum/bucketsum/handlers/web/bounds"
)

const (
	readHeaderTimeout = 10 * time.Second
	writeTimeout      = time.Minute     // from the head of a request to the end of its answer
	keepAliveTimeout  = 2 * time.Minute // longer than in load balancers, which would else send into a closing connection
	maxHeaderBytes    = 64 << 10
	lastAnswers       = time.Second // the least time that requests have to finish, after any drain
)

// Serve answers requests at l with h until ctx ends and then until drained is closed, so that clients can
// watch the process drain; nil means that there is nothing to drain. Then it closes l. Requests in flight may
// finish within the grace time, counted from the end of ctx; after it their connections are closed and their
// contexts cancelled. Serve waits for their handlers. It returns nil if every request was answered, else why
// the listener or the shutdown failed.
//
// Streams of events end when drained is closed.
//
// It answers on 512 connections at once; a connection that does not send a request is closed after 10 seconds,
// after 2 minutes if it has sent one before, and earlier if few connections are left. The head of a request may have 64 KiB.
//
// An answer must be written within a minute after the head of its request. A handler that needs more time sets
// its own write deadline with [http.ResponseController]. The server logs to log, if that is not nil.
//
// With a certificate it speaks TLS 1.2 or later, and HTTP/2 with at most 32 requests at once on a connection. nil: no TLS.
func Serve(ctx context.Context, drained <-chan struct{}, l net.Listener, h http.Handler, grace time.Duration, certificate *Certificate, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Requests may continue after the end of ctx, for the grace time.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stopping, stop := context.WithCancel(requests) // ends streams
	defer stop()
	base := context.WithValue(requests, stoppingKey{}, stopping)
	conns := bounds.NewConnections()
	var handling sync.WaitGroup
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handling.Add(1) // a connection of HTTP/2 does not wait for its handlers
			defer handling.Done()
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             limits(),
		ErrorLog:          stdlog.New(serverLog{log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         conns.Changed,
	}

	serve := srv.Serve
	if certificate != nil {
		srv.TLSConfig = certificate.config()
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	served := make(chan error, 1)
	go func() { served <- serve(netutil.LimitListener(l, bounds.MaxConnections)) }()
	var serveErr error
	select {
	case serveErr = <-served:
	case <-ctx.Done():
	}
	end := time.Now().Add(grace)
	if serveErr == nil && drained != nil {
		select {
		case serveErr = <-served:
		case <-drained:
		}
	}

	stop()
	shutdown, cancel := context.WithTimeout(requests, max(time.Until(end), min(grace, lastAnswers)))
	defer cancel()
	conns.Drain()
	stopErr := srv.Shutdown(shutdown)
	if stopErr != nil {
		cut()
		stopErr = errors.Join(fmt.Errorf("HTTP requests that were not finished within %s were cut off: %w", grace, stopErr), srv.Close())
	}
	if serveErr == nil {
		serveErr = <-served
	}
	conns.Wait()
	handling.Wait()
	if errors.Is(serveErr, http.ErrServerClosed) {
		return stopErr
	}
	return errors.Join(fmt.Errorf("serve %s: %w", l.Addr(), serveErr), stopErr)
}
