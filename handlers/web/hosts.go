package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// named lets a request pass whose Host is an IP address or one of
// Config.Hosts. Another name is that of a site which had its name resolved to
// this server, to read through its visitor's browser what only he can reach.
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
			answerError(w, http.StatusMisdirectedRequest, "This server is not known under that name")
			return
		}
		next(w, r)
	}
}
