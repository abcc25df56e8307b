package web

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// Actions are the routes that change something. The zero value has none.
type Actions struct {
	// Open lets every client use them. It is for a listener on a loopback address: web sites cannot use them
	// through the browser of a visitor, and requests that a proxy has forwarded are refused.
	Open bool
	// Token is what a client needs, also if Open is set. nil without Open: the routes are off.
	Token *Token
	// DeadLetters are what the routes below /v1/dead-letters work on. nil: the routes say NoDeadLetters.
	DeadLetters   DeadLetters
	NoDeadLetters string // why there are none, and what to do
	// Objects are, by bucket name, what PUT /v1/objects writes to. None: there is no such route.
	Objects map[string]Objects
}

// The problems of the guard.
var (
	problemOff       = problem{"off", http.StatusNotFound, "This route is off"}
	problemToken     = problem{"token-needed", http.StatusUnauthorized, "The request does not have the token"}
	problemTries     = problem{"too-many-tries", http.StatusTooManyRequests, "Too many wrong tokens came from this address"}
	problemNoToken   = problem{"token-unreadable", http.StatusServiceUnavailable, "The server cannot read its token"}
	problemForeign   = problem{"foreign-origin", http.StatusForbidden, "A page of another site has sent the request"}
	problemForwarded = problem{"forwarded", http.StatusForbidden, "A proxy has forwarded the request"}
	problemJSON      = problem{"not-json", http.StatusUnsupportedMediaType, "The Content-Type must be application/json"}
)

// forwarding are headers of proxies. Behind a proxy, a loopback listener can be reached from elsewhere.
var forwarding = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// guarded answers only clients that may change something.
func (s *service) guarded(next http.HandlerFunc) http.HandlerFunc {
	a := s.config.Actions
	switch {
	case a.Token != nil:
		// A browser does not send the token by itself, so another site cannot send it.
		return func(w http.ResponseWriter, r *http.Request) {
			if a.Token.admits(w, r) {
				next(w, r)
			}
		}
	case !a.Open:
		return func(w http.ResponseWriter, r *http.Request) {
			problemOff.answer(w, r, "The server can be reached from other machines, so that it needs a token: start it with --token-file FILE")
		}
	}
	sameOrigin := http.NewCrossOriginProtection()
	names := &service{config: Config{Hosts: append([]string{"localhost"}, s.config.Hosts...)}}
	return names.named(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range forwarding {
			if r.Header.Get(name) != "" {
				problemForwarded.answer(w, r, "It has the header "+name+". Start the server with --token-file FILE, and send the token")
				return
			}
		}
		asked := *r
		asked.Method = http.MethodPost // a GET has effects, too: it receives dead letters
		if err := sameOrigin.Check(&asked); err != nil {
			problemForeign.answer(w, r, "Use the page of this server, or a program")
			return
		}
		next(w, r)
	})
}

// isJSON reports whether the body of a request is JSON. A form of another site cannot say so.
func isJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// addActions adds the routes that change something.
func (s *service) addActions(routes routesV1) {
	a := s.config.Actions
	if len(a.Objects) > 0 {
		routes["/v1/objects/"] = map[string]http.HandlerFunc{http.MethodPut: s.guarded(knowing(s.put, "algorithms", "overwrite"))}
	}
	if a.DeadLetters == nil && a.NoDeadLetters == "" {
		return
	}
	letters := func(method, path string, h http.HandlerFunc, parameters ...string) {
		if a.DeadLetters == nil {
			h = func(w http.ResponseWriter, r *http.Request) { problemOff.answer(w, r, a.NoDeadLetters) }
		}
		routes[path] = map[string]http.HandlerFunc{method: s.guarded(knowing(h, parameters...))}
	}
	letters(http.MethodGet, "/v1/dead-letters", s.deadLetters, "match")
	letters(http.MethodPost, "/v1/dead-letters/redrive", s.lettersAction(redrive.Send))
	letters(http.MethodPost, "/v1/dead-letters/discard", s.lettersAction(redrive.Discard))
}

// useAddress says under which names the server answers.
const useAddress = "Use the IP address of its machine, or localhost on it"

// named accepts requests whose Host is an IP address or one of Config.Hosts. Any other name may belong to
// a web site that resolves its name to this server, to read it through the browser of a visitor (DNS
// rebinding).
func (s *service) named(next http.HandlerFunc) http.HandlerFunc {
	if len(s.config.Hosts) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && !slices.ContainsFunc(s.config.Hosts, func(name string) bool { return strings.EqualFold(name, host) }) {
			if isV1(r) {
				problemHost.answer(w, r, useAddress)
			} else {
				answerError(w, problemHost.status, problemHost.title+". "+useAddress)
			}
			return
		}
		next(w, r)
	}
}
