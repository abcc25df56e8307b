package web

import (
	"net/http"
	"net/http/pprof"
)

// Profiles returns the handler of the routes of net/http/pprof, below /debug/pprof/. Profiles reveal much about
// the process and are expensive, so serve them on a loopback address only. The handler answers only under
// localhost and IP addresses, so that a web site cannot read profiles through the browser of a visitor.
func Profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	s := &service{config: Config{Hosts: []string{"localhost"}}}
	return s.named(mux.ServeHTTP)
}
