package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// routesV1 are the handlers of the routes below /v1, by path and method. A path that ends in a slash is that of
// all paths below it. http.ServeMux would redirect keys that have "//" or "..", and answer with text.
type routesV1 map[string]map[string]http.HandlerFunc

// v1 returns the routes that are configured.
func (s *service) v1() routesV1 {
	routes := routesV1{}
	routes["/v1/checksums"] = map[string]http.HandlerFunc{http.MethodPost: knowing(s.checksums, "algorithms")}
	if s.config.Status != nil {
		routes.get("/v1/status", s.status)
	}
	if s.config.Watch != nil {
		routes.get("/v1/events", s.events, "only")
	}
	if len(s.config.Records) > 0 {
		routes.get("/v1/records/", s.record)
	}
	s.addActions(routes)
	return routes
}

// knowing refuses queries with other parameters than these: an answer that ignores one looks like one that heeds it.
func knowing(next http.HandlerFunc, parameters ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			problemQuery.answer(w, r, "It is malformed")
			return
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if !slices.Contains(parameters, name) {
				problemQuery.answer(w, r, fmt.Sprintf("There is no parameter %q%s", name, suggest.Or(name, parameters)))
				return
			}
		}
		next(w, r)
	}
}

// get adds a route for GET and HEAD.
func (routes routesV1) get(path string, h http.HandlerFunc, parameters ...string) {
	h = knowing(h, parameters...)
	routes[path] = map[string]http.HandlerFunc{http.MethodGet: h, http.MethodHead: h}
}

// ServeHTTP implements http.Handler.
func (routes routesV1) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	methods, ok := routes[path]
	for prefix := range routes {
		if !ok && strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) {
			methods, ok = routes[prefix], true
		}
	}
	if !ok {
		problemNotFound.answer(w, r, "The routes are listed in /openapi.json. Some exist only where they are configured.")
		return
	}
	h, ok := methods[r.Method]
	if !ok {
		allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		w.Header().Set("Allow", allow)
		problemMethod.answer(w, r, "Allowed: "+allow)
		return
	}
	h(w, r)
}
