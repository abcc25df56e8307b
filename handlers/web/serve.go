package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	writeTimeout      = time.Minute     // from the head of a request to the end of its answer
	keepAliveTimeout  = 2 * time.Minute // longer than that of load balancers, or they send into a closing connection
	maxHeaderBytes    = 64 << 10
	lastAnswers       = time.Second // what requests have at least to finish, however long the rest drained
)

// Serve answers requests that arrive at l with h until ctx is done and, as whoever
// watches the process wants to see it drain, until drained is closed after that (nil:
// nothing drains). Then it closes l. Requests in flight have the grace to finish,
// counted from the end of ctx, after which their
// connections are closed and their contexts cancelled; Serve waits for their
// handlers. It returns nil after a stop in which every request was answered,
// otherwise why the listener or the stop failed.
//
// An answer must be written within a minute of the head of its request. A
// handler that needs longer sets a write deadline of its own through
// [http.ResponseController]. What the server has to say goes to log; nil is
// silence.
func Serve(ctx context.Context, drained <-chan struct{}, l net.Listener, h http.Handler, grace time.Duration, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Requests outlive ctx by the grace.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var conns sync.WaitGroup
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				conns.Done()
			}
		},
	}

	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
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

	stopping, cancel := context.WithTimeout(requests, max(time.Until(end), min(grace, lastAnswers)))
	defer cancel()
	stopErr := srv.Shutdown(stopping)
	if stopErr != nil {
		cut()
		stopErr = errors.Join(fmt.Errorf("HTTP requests that were not finished within %s were cut off: %w", grace, stopErr), srv.Close())
	}
	if serveErr == nil {
		serveErr = <-served
	}
	conns.Wait()
	if errors.Is(serveErr, http.ErrServerClosed) {
		return stopErr
	}
	return errors.Join(fmt.Errorf("serve %s: %w", l.Addr(), serveErr), stopErr)
}
