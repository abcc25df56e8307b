package web

import "net/http"

// Routes returns the routes of a handler, each with its methods: "GET, HEAD /status".
func Routes(h http.Handler) []string { return h.(*service).paths }
