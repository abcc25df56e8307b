// Package web is the HTTP side of bucketsum:
//
//	POST /md5      the MD5 checksum of an uploaded file
//	GET /status    what the process does and has done; see [live.Status]
//	/v1/…          the same and more, with problems as in RFC 9457
//	GET /records   the record of an object
//	GET /          a page for people with all of the above
//	GET /livez     whether the process is healthy; also GET /health
//	GET /readyz    whether it can do its work; see [Readiness]
//	GET /metrics   the metrics for Prometheus
//
// GET /openapi.json describes them all.
//
// An upload is hashed while it arrives, and the memory does not grow with its size. Only PUT /v1/objects stores one.
package web

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/bounds"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Unlimited as Config.MaxUpload accepts uploads of any size.
const Unlimited int64 = -1

const (
	// defaultMaxUpload limits the time of an upload, which uses neither memory nor disk: 5 TiB keep
	// one connection and one core busy for hours. It was for a long time the largest object of S3.
	defaultMaxUpload   = 5 << 40
	defaultIdleTimeout = time.Minute // as in common load balancers
)

// Config configures the handler. The zero value is the default.
type Config struct {
	// MaxUpload is the largest request body in bytes, including the syntax of the form. 0: 5 TiB.
	// Unlimited: no limit.
	MaxUpload int64
	// IdleTimeout ends an upload if less than 16 KiB arrive in this time. The time of a whole upload
	// is not limited. 0: a minute.
	IdleTimeout time.Duration
	// Health returns why the process is not healthy, or nil. It must be quick and safe for concurrent
	// use. Clients can read its error. nil: always healthy.
	Health func() error
	// Ready answers GET /readyz. nil: there is no such route.
	Ready *Readiness
	// Metrics answers GET /metrics. nil: there is no such route.
	Metrics http.Handler
	// Status returns the answer of GET /status and the content of the page. It must be quick and safe
	// for concurrent use. nil: there is no such route, and the page shows only forms.
	Status func() live.Status
	// Flow is how the worker is wired, for the page.
	Flow page.Flow
	// Watch returns a watch of events for GET /v1/events, or false if there are too many. nil: there is no
	// such route.
	Watch func(live.Kinds) (*live.Watch, bool)
	// Records are, by bucket name, the records that GET /records and the page look up. They must be
	// safe for concurrent use. None: there is no such route.
	Records map[string]Records
	// Hosts are the names under which the page, status and records are answered, in addition to IP
	// addresses. A server for the user's own machine needs "localhost" here, because a web site that
	// the user visits could else read it (DNS rebinding). None: every name is answered.
	Hosts []string
	// Actions are the routes that change something. The zero value has none.
	Actions Actions
	// Log gets a line for each upload, never with its content, for each record that could not be read, and for
	// each change. Default: discarded.
	Log *slog.Logger
	// Version is shown on the page.
	Version string
}

// Validate returns all faults of the configuration, joined.
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
	c.MaxUpload = cmp.Or(c.MaxUpload, defaultMaxUpload)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, defaultIdleTimeout)
	if c.Health == nil {
		c.Health = func() error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Handler returns the handler of all routes. It is safe for concurrent use.
// Routes that are not configured answer with 404. The error lists the faults of the configuration.
func Handler(config Config) (http.Handler, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	if _, err := digest.New(algorithm); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &service{config: config.withDefaults(), uploads: make(chan struct{}, maxUploads)}

	mux := http.NewServeMux()
	// The mux's own answers to other methods and paths would not be JSON.
	route := func(method, path, allow string, h http.HandlerFunc) {
		mux.HandleFunc(method+" "+path, h)
		mux.HandleFunc(path, methodNotAllowed(allow))
		s.paths = append(s.paths, allow+" "+strings.TrimSuffix(path, "{$}"))
	}
	get := func(path string, h http.HandlerFunc) { route(http.MethodGet, path, "GET, HEAD", h) }
	route(http.MethodPost, "/md5", "POST", s.md5)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answerError(w, http.StatusNotFound, "Not found") })
	get("/health", s.health)
	get("/livez", s.health)
	get("/{$}", s.named(s.page))
	get("/openapi.json", func(w http.ResponseWriter, r *http.Request) { serve(w, r, "application/json", openAPI) })
	if s.config.Status != nil {
		get("/status", s.named(s.status))
	}
	if len(s.config.Records) > 0 {
		get("/records", s.named(s.records))
	}
	if s.config.Ready != nil {
		get("/readyz", s.named(s.ready))
	}
	if s.config.Metrics != nil {
		get("/metrics", s.named(s.config.Metrics.ServeHTTP))
	}
	v1 := s.v1()
	s.routes, s.routesV1 = mux, s.named(v1.ServeHTTP)
	for path, methods := range v1 {
		s.paths = append(s.paths, strings.Join(slices.Sorted(maps.Keys(methods)), ", ")+" "+path)
	}
	return s, nil
}

type service struct {
	config   Config
	routes   http.Handler
	routesV1 http.Handler
	paths    []string // of all routes, with their methods
	pages    pages
	clients  bounds.Clients
	uploads  chan struct{} // has an item for each upload in work
}

// ServeHTTP prepares every request and routes it.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // the page has another
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Body != http.NoBody {
		// The server reads the rest of a body before it answers, even if the handler needs no
		// body. The deadline ends that soon: else connections whose bodies never come would keep probes out.
		// A handler that reads the body sets its own. A writer without deadlines has no connection.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTime))
	}
	if !s.paced(w, r) {
		return
	}
	if isV1(r) {
		s.routesV1.ServeHTTP(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// paced answers requests of a client that sends too many with status 429. Probes, metrics and uploads to /md5 are
// never refused, nor is a client on this machine.
func (s *service) paced(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/livez", "/health", "/readyz", "/metrics", "/md5":
		return true
	}
	if s.clients.Admit(bounds.ClientOf(r)) {
		return true
	}
	w.Header().Set("Retry-After", "1")
	if isV1(r) {
		problemRate.answer(w, r, "")
	} else {
		answerError(w, problemRate.status, problemRate.title)
	}
	return false
}

func isV1(r *http.Request) bool { return r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") }

func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	if err := s.config.Health(); err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "failing", "error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
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
