package web

import (
	"net/http"
	"net/http/pprof"
)

// Profiles returns the handler of net/http/pprof's routes, below /debug/pprof/. What it
// answers tells much of the process and costs it much: serve it on a loopback address
// only. It is not answered under other names than localhost, lest a web site reads it
// through its visitor's browser.
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
