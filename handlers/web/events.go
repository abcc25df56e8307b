package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
)

const (
	// heartbeat is shorter than the idle timeouts of common proxies, which would end the stream.
	heartbeat = 15 * time.Second
	// lastEvents is how long a client may take the last events of a server that stops.
	lastEvents = time.Second
)

// events answers with the events as they happen, until the client goes or the server stops.
func (s *service) events(w http.ResponseWriter, r *http.Request) {
	kinds, wrong := eventsQuery(r)
	if wrong != "" {
		problemQuery.answer(w, r, wrong)
		return
	}
	h := w.Header()
	if r.Method == http.MethodHead {
		eventsHead(h)
		return
	}
	watch, ok := s.config.Watch(kinds)
	if !ok {
		h.Set("Retry-After", "10")
		problemTooManyStreams.answer(w, r, fmt.Sprintf("At most %d clients receive events. GET /v1/status tells the same.", live.MaxWatches))
		return
	}
	defer watch.Close()
	eventsHead(h)
	stopping := stoppingOf(r)
	conn := http.NewResponseController(w)
	ended := context.AfterFunc(stopping, func() { _ = conn.SetWriteDeadline(time.Now().Add(lastEvents)) })
	defer ended()
	send := func(texts ...[]byte) bool {
		extendWriteDeadline(w, r)
		if stopping.Err() != nil {
			_ = conn.SetWriteDeadline(time.Now().Add(lastEvents))
		}
		for _, text := range texts {
			if _, err := w.Write(text); err != nil {
				return false
			}
		}
		return conn.Flush() == nil
	}
	idle := time.NewTimer(heartbeat)
	defer idle.Stop()
	if !send([]byte("retry: 2000\n\n")) {
		return
	}
	for {
		alive := true
		select {
		case <-watch.Changed():
			alive = send(watch.Next()...)
		case <-idle.C:
			alive = send([]byte(":\n\n"))
		case <-stopping.Done():
			send(watch.Next()...)
			return
		case <-r.Context().Done():
			return
		}
		if !alive {
			return
		}
		idle.Reset(heartbeat)
	}
}

func eventsHead(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
}

// eventsQuery returns which events a query asks for, or why the query is wrong.
func eventsQuery(r *http.Request) (kinds live.Kinds, wrong string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	only := query["only"]
	switch {
	case err != nil:
		return kinds, "The query is malformed"
	case len(only) == 0:
		return live.AllEvents, ""
	case len(only) == 1 && only[0] == "status":
		return live.StatusOnly, ""
	default:
		return kinds, "The only value of only is status: /v1/events?only=status"
	}
}

type stoppingKey struct{}

// stoppingOf returns a context that ends when Serve stops. Requests have until then.
func stoppingOf(r *http.Request) context.Context {
	if ctx, ok := r.Context().Value(stoppingKey{}).(context.Context); ok {
		return ctx
	}
	return r.Context()
}
