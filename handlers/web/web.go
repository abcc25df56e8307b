// Package web is the HTTP side of bucketsum: POST /md5 answers the MD5 checksum
// of an uploaded file, GET /status what the process is doing, GET /records the
// record of an object, and GET / is a page for people that has all of it. GET
// /livez (also /health) tells whether the process is well and GET /readyz whether
// it can do its work, for whoever runs it. An [Activity] keeps the account that
// GET /status answers, a [Readiness] that of GET /readyz.
//
// An upload is digested while it arrives. Nothing of it is written to disk or
// kept, and memory does not grow with its size.
package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
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
	// Ready is what GET /readyz answers; nil: there is no such route.
	Ready *Readiness
	// Metrics is what answers GET /metrics; nil: there is no such route.
	Metrics http.Handler
	// Status returns what GET /status answers and the page shows; nil: neither
	// does. It must be quick and safe for concurrent use.
	Status func() Status
	// Records holds, by name, the buckets whose records GET /records answers and
	// the page looks up; none: neither does. They must be safe for concurrent use.
	Records map[string]Records
	// Hosts are the names under which the page, status and records are answered,
	// beside any IP address. A server that only its user's own machine can reach
	// needs them, lest any web site that he visits reads his names (DNS
	// rebinding): "localhost". None: under every name.
	Hosts []string
	// Log gets one line per upload, without names or content, and one for each
	// record that could not be read. nil is silence.
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
	for _, name := range slices.Sorted(maps.Keys(c.Records)) {
		if c.Records[name] == nil {
			faults = append(faults, fmt.Errorf("Records of bucket %q are nil", name))
		}
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
// keeps nothing between requests. A route that nothing is configured for is not
// found. Its error says what is wrong with the configuration.
func Handler(config Config) (http.Handler, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	if _, err := digest.New(algorithm); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &service{config: config.withDefaults()}
	page := newPage(s.config)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /md5", s.md5)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /livez", s.health)
	mux.HandleFunc("GET /{$}", s.named(page.serve))
	if s.config.Status != nil {
		mux.HandleFunc("GET /status", s.named(s.status))
		mux.HandleFunc("/status", methodNotAllowed("GET, HEAD"))
	}
	if len(s.config.Records) > 0 {
		mux.HandleFunc("GET /records", s.named(s.records))
		mux.HandleFunc("/records", methodNotAllowed("GET, HEAD"))
	}
	if s.config.Ready != nil {
		mux.HandleFunc("GET /readyz", s.named(s.ready))
		mux.HandleFunc("/readyz", methodNotAllowed("GET, HEAD"))
	}
	if s.config.Metrics != nil {
		mux.HandleFunc("GET /metrics", s.named(s.config.Metrics.ServeHTTP))
		mux.HandleFunc("/metrics", methodNotAllowed("GET, HEAD"))
	}
	// The mux's own answers to everything else are not JSON.
	mux.HandleFunc("/md5", methodNotAllowed("POST"))
	mux.HandleFunc("/health", methodNotAllowed("GET, HEAD"))
	mux.HandleFunc("/livez", methodNotAllowed("GET, HEAD"))
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

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Strings always encode; a client that went away is not news.
	_ = json.NewEncoder(w).Encode(body)
}
