// Package unreached says in plain words why a server could not be reached.
package unreached

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// Why returns why an error came before any answer of a server, and what to do; empty if it is about something else.
func Why(err error) string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there: start the server, or correct its address"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("there is no host %q: correct the address", dns.Name)
		}
		return fmt.Sprintf("the address of the host %q cannot be found out now", dns.Name)
	}
	if errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
		return "this machine has no way to the server: is a network, a route or a VPN missing?"
	}
	if why := certificate(err); why != "" {
		return why
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the server does not speak TLS there: correct the scheme or the port of its address"
	}
	return ""
}

// certificate returns what is wrong with the certificate of a server.
func certificate(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "this machine does not know the authority of the server's certificate: install the authority's own certificate, or name its file in SSL_CERT_FILE"
	}
	if wrong, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the server's certificate is not for %q: use the name in the certificate", wrong.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the server's certificate has expired, or the clock of this machine is wrong"
	}
	return ""
}

// Explain puts Why before an error.
func Explain(err error) error {
	if why := Why(err); why != "" {
		return fmt.Errorf("%s: %w", why, err)
	}
	return err
}
