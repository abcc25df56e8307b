package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

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
				problemHost.answer(w, r, "Use an IP address or localhost")
			} else {
				answerError(w, problemHost.status, problemHost.title)
			}
			return
		}
		next(w, r)
	}
}
