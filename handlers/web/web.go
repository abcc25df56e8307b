// Package web is the HTTP side of bucketsum: POST /md5 answers the MD5 checksum
// of an uploaded file, GET /health tells whether the process is well, and GET /
// is a page for people.
//
// An upload is digested while it arrives. Nothing of it is written to disk or
// kept, and memory does not grow with its size.
package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Unlimited as Config.MaxUpload accepts uploads of any size.
const Unlimited int64 = -1

const (
	// defaultMaxUpload is a limit on time, as an upload takes neither memory
	// nor disk: 5 TiB keep one connection and one core busy for hours. It is
	// also the size that S3 allowed an object for most of its life.
	defaultMaxUpload   = 5 << 40
	defaultIdleTimeout = time.Minute // that of common load balancers
)

// Config is what the handler can be told. The zero value is usable.
type Config struct {
	// MaxUpload is the largest request body in bytes, form syntax included.
	// 0 is 5 TiB; Unlimited is no limit.
	MaxUpload int64
	// IdleTimeout ends an upload of which not even 16 KiB arrived in that
	// time. How long an upload takes as a whole is not limited. 0 is a minute.
	IdleTimeout time.Duration
	// Health returns what is wrong with the process, nil if nothing is. It must
	// be quick and safe for concurrent use, and whoever asks gets to read its
	// error. nil is always healthy.
	Health func() error
	// Log gets one line per upload, without names or content. nil is silence.
	Log *slog.Logger
	// Version is shown on the page.
	Version string
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if c.MaxUpload < Unlimited {
		faults = append(faults, fmt.Errorf("MaxUpload is %d bytes: want 0 for the default, %d for no limit, or more than 0", c.MaxUpload, Unlimited))
	}
	if c.IdleTimeout < 0 {
		faults = append(faults, fmt.Errorf("IdleTimeout is %v: want 0 for the default or more", c.IdleTimeout))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.MaxUpload == 0 {
		c.MaxUpload = defaultMaxUpload
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = defaultIdleTimeout
	}
	if c.Health == nil {
		c.Health = func() error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Handler returns the handler of all routes. It is safe for concurrent use and
// keeps nothing between requests. Its error says what is wrong with the
// configuration.
func Handler(config Config) (http.Handler, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	if _, err := digest.New(algorithm); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &service{config: config.withDefaults()}
	page, err := newPage(config.Version)
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /md5", s.md5)
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /{$}", page)
	// The mux's own answers to everything else are not JSON.
	mux.HandleFunc("/md5", methodNotAllowed("POST"))
	mux.HandleFunc("/health", methodNotAllowed("GET, HEAD"))
	mux.HandleFunc("/{$}", methodNotAllowed("GET, HEAD"))
	mux.HandleFunc("/", notFound)
	s.routes = mux
	return s, nil
}

type service struct {
	config Config
	routes http.Handler
}

// ServeHTTP does what every route needs.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Body != http.NoBody {
		// Before the server answers, it reads what a handler left of a body,
		// also where the handler wanted none. That must not last for ever.
		// A writer without deadlines has no connection to protect.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.config.IdleTimeout))
	}
	s.routes.ServeHTTP(w, r)
}

func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	if err := s.config.Health(); err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "failing", "error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	answerError(w, http.StatusNotFound, "Not found")
}

func methodNotAllowed(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		answerError(w, http.StatusMethodNotAllowed, "Method not allowed")
	}
}

func answerError(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}

func answer(w http.ResponseWriter, status int, fields map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A map of strings always encodes; a client that went away is not news.
	_ = json.NewEncoder(w).Encode(fields)
}
