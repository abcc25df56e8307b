package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// ParseURL parses the URL of a queue or topic. A parameter that is not in valid
// is an error, since a misspelt one would have no effect; so is one that comes
// twice. Errors hold no secrets.
func ParseURL(raw string, valid ...string) (*url.URL, url.Values, error) {
	u, err := redact.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, errors.New("its parameters cannot be read; are special characters percent-encoded?")
	}
	for name, values := range query {
		if !slices.Contains(valid, name) {
			return nil, nil, suggest.Unknown("parameter", name, valid)
		}
		if len(values) > 1 {
			return nil, nil, fmt.Errorf("parameter %q comes %d times", name, len(values))
		}
	}
	return u, query, nil
}

// Flag returns the value of a parameter that is true or false. It is false if the
// URL does not have it.
func Flag(q url.Values, name string) (bool, error) {
	switch v := q.Get(name); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, fmt.Errorf("parameter %s is %q, neither true nor false", name, v)
	}
}

// WithoutCreate returns the URL with create=false, if it says create=true: nothing is created by
// opening it.
func WithoutCreate(raw string) string {
	u, err := redact.Parse(raw)
	if err != nil || u.Query().Get("create") != "true" {
		return raw
	}
	query := u.Query()
	query.Set("create", "false")
	u.RawQuery = query.Encode()
	return u.String()
}

// Created logs that a queue, stream or topic that was missing has been created. What it held before is
// lost if it had existed.
func Created(log *slog.Logger, kind, name string) {
	log.Warn("created what was missing; if it had existed before, what it held is lost, and so are events that were sent while it was missing", kind, name)
}
