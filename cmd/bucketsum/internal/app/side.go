package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// side is the HTTP side of a worker and its metrics. That of Local outlives its Apps.
type side struct {
	config      Config
	measured    *telemetry.Telemetry
	listener    net.Listener     // nil: there is no HTTP side
	token       *web.Token       // nil: none
	certificate *web.Certificate // nil: no TLS

	page  atomic.Pointer[http.Handler]  // what the HTTP side answers now
	ready atomic.Pointer[web.Readiness] // what page says at /readyz
	shown chan struct{}                 // closed when there is a page, or will be none
	once  sync.Once                     // closes shown

	closes closers
}

// openSide opens the address of the HTTP side and starts metrics. The caller must close it.
func openSide(ctx context.Context, c Config) (*side, error) {
	s := &side{config: c, shown: make(chan struct{})}
	for _, open := range []func(context.Context) error{s.openSecrets, s.listen, s.warnOfToken, s.measure} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *side) close() error { return s.closes.close() }

// measure starts metrics and traces.
func (s *side) measure(ctx context.Context) error {
	t, err := telemetry.New(ctx, telemetry.Config{Version: s.config.Version, Log: s.config.Log})
	if err != nil {
		return err
	}
	s.measured = t
	s.closes = append(s.closes, func() error {
		t.Close()
		return nil
	})
	lanes := t.Gauge("lanes_in_use", "", "MD5 lanes that are hashing at this instant.", func(context.Context) float64 {
		engine, err := md5lanes.Default()
		if err != nil {
			return 0 // the program ends at its start
		}
		hashes, lanes := engine.Load()
		return float64(min(hashes, lanes))
	})
	return errors.Join(lanes, s.measureReadiness())
}

// measureReadiness exports as a metric what /readyz answers.
func (s *side) measureReadiness() error {
	return s.measured.Gauge("ready", "", "1 if the queue and the buckets can be reached and the worker does not drain, else 0.", func(ctx context.Context) float64 {
		if ready := s.ready.Load(); ready == nil || len(ready.Faults(ctx)) > 0 {
			return 0
		}
		return 1
	})
}

// answer lets the HTTP side answer with a page from now on.
func (s *side) answer(page http.Handler) {
	s.page.Store(&page)
	s.once.Do(func() { close(s.shown) })
}

// serve answers requests until ctx ends and drained is closed. It does nothing without an HTTP side.
func (s *side) serve(ctx context.Context, drained <-chan struct{}) error {
	if s.listener == nil {
		return nil
	}
	now := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.shown:
		case <-r.Context().Done():
		}
		if page := s.page.Load(); page != nil {
			(*page).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable) // the start failed
	})
	return web.Serve(ctx, drained, s.listener, now, s.config.DrainTimeout, s.certificate, s.webLog())
}

// lasting is the side of Local, which answers also while the folder is gone.
type lasting struct {
	*side
	stop    context.CancelFunc // ends Local
	ended   chan struct{}      // closed when no App runs any more
	running sync.WaitGroup
	err     error  // of serve
	hide    func() // ends the page that says that the folder is gone
}

// open opens the side unless it is open, and serves it.
func (l *lasting) open(ctx context.Context, c Config) (err error) {
	if l.side != nil {
		return nil
	}
	if l.side, err = openSide(ctx, c); err != nil || l.listener == nil {
		return err
	}
	l.ended = make(chan struct{})
	l.running.Go(func() {
		l.err = l.serve(ctx, l.ended)
		l.stop()
	})
	return nil
}

// close ends the side. A second call does nothing.
func (l *lasting) close() error {
	if l.side == nil {
		return nil
	}
	l.stop()
	l.once.Do(func() { close(l.shown) })
	if l.ended != nil {
		close(l.ended)
	}
	l.running.Wait()
	if l.hide != nil {
		l.hide()
	}
	err := errors.Join(l.err, l.side.close())
	l.side = nil
	return err
}

// showGone lets the HTTP side say that the folder is gone until the next App shows its page.
func (l *local) showGone(ctx context.Context, gone *watch.GoneError) error {
	c := l.worker().withDefaults()
	c.Stores, c.objects, c.Waiting = nil, nil, func() *live.Waiting { return nil }
	const back = "watching resumes when it is there again"
	a := &App{config: c, side: l.side.side, noLetters: "The folder is gone; " + back}
	if l.side.hide != nil {
		l.side.hide()
	}
	var err error
	l.side.hide, err = a.show(ctx, nil, map[string]func(context.Context) error{
		"bucket " + l.name: func(context.Context) error { return errors.New("its folder is gone: " + gone.Reason + "; " + back) },
	})
	return err
}
