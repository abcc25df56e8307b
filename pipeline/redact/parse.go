package redact

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Parse is [url.Parse] with an error that quotes nothing: the error of net/url quotes the whole
// text, and a URL that does not parse is often one whose password has special characters.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL; are special characters in user and password percent-encoded?")
	}
	return u, nil
}

// Scheme returns the scheme of a URL; empty if it does not parse.
func Scheme(raw string) string {
	u, err := Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// Misplaced reports whether the path of a URL may have a user and a password: the URL has a
// slash too few or too many before them, or the password has one that is not percent-encoded.
func Misplaced(u *url.URL) bool {
	return (u.Scheme != "file" || u.Host != "") && strings.Contains(u.EscapedPath(), "@")
}

// Server returns why the value of a setting is not the address of an HTTP server, or nil. An empty
// value is none. The libraries that get such an address quote it in their errors, where net/http
// masks a password and nothing else.
func Server(setting, raw string) error {
	if raw == "" {
		return nil
	}
	u, err := Parse(raw)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && !Misplaced(u) {
		if _, password := u.User.Password(); u.User == nil || password {
			return nil
		}
	}
	return fmt.Errorf("%s is not the address of a server; valid is for example https://example.com:8080", setting)
}
