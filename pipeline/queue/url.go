package queue

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ParseURL parses the URL of a queue or topic. Parameters that are not among
// valid, and those that come twice, are faults: what is misspelt would silently
// be missing.
func ParseURL(raw string, valid ...string) (*url.URL, url.Values, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// What net/url says quotes parts of a password.
		return nil, nil, errors.New("not a URL; are special characters in user and password percent-encoded?")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errors.New("its parameters cannot be read; are special characters percent-encoded?")
	}
	for name, values := range query {
		if !slices.Contains(valid, name) {
			return nil, nil, fmt.Errorf("unknown parameter %q; valid are %s", name, strings.Join(valid, ", "))
		}
		if len(values) > 1 {
			return nil, nil, fmt.Errorf("parameter %q comes %d times", name, len(values))
		}
	}
	return u, query, nil
}

// Flag returns the value of a parameter that is true or false; false if it is
// not there.
func Flag(q url.Values, name string) (bool, error) {
	switch v := q.Get(name); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, fmt.Errorf("%s=%s is neither true nor false", name, v)
	}
}

// Redacted returns the URL without its query and user, for logs and errors.
func Redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	return u.String()
}

// redactedError is an error without the secrets of a URL in the text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// Redact takes the URL and its password out of the error's text.
func Redact(err error, raw string) error {
	u, parseErr := url.Parse(raw)
	if parseErr != nil || err == nil {
		return err
	}
	text, clean := err.Error(), Redacted(raw)
	for _, whole := range []string{raw, u.String(), u.Redacted()} {
		text = strings.ReplaceAll(text, whole, clean)
	}
	secrets := []string{u.User.Username()} // a token
	if password, has := u.User.Password(); has {
		secrets = []string{u.User.String(), password}
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "xxxxx")
		}
	}
	if text == err.Error() {
		return err
	}
	return &redactedError{text, err}
}
