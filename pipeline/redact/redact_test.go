package redact_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

func TestURL(t *testing.T) {
	for raw, want := range map[string]string{
		"x://user:geheim@h:1/p?a=geheim#f": "x://h:1/p",
		"x://geheim@h/p?":                  "x://h/p",
		"x://h/p":                          "x://h/p",
		"x://u:geheim%zz@h/p":              "(unparsable URL)",
		"x//u:geheim@h/p":                  "(unparsable URL)",
		"x:u:geheim@h":                     "(unparsable URL)",
		"/srv//in":                         "/srv//in",
	} {
		if got := redact.URL(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestError(t *testing.T) {
	for _, raw := range []string{"x://user:geheim@h/p?a=geheim", "x://geheim@h/p?a=geheim", "x://u:ge%2Fheim@h/p?a=geheim"} {
		err := errors.New("dial " + raw + ": refused for user:geheim, geheim and ge/heim")
		got := redact.Error(err, raw)
		if !errors.Is(got, err) {
			t.Errorf("%s: the result does not wrap the error", raw)
		}
		if text := got.Error(); strings.Contains(text, "ge/heim") == strings.Contains(raw, "%2F") ||
			!strings.Contains(raw, "%2F") && strings.Contains(text, "geheim") || !strings.Contains(text, "x://h/p") {
			t.Errorf("%s: got %q", raw, text)
		}
	}
}

func TestErrorParameters(t *testing.T) {
	const raw = "x://h/p?a=1&token=geheim&b=ge%68eim2&token2=geheimer&create=true&sig=geheim==true"
	err := errors.New("open: bad token=geheim, b=geheim2, b=ge%68eim2, token2=geheimer, sig=geheim==true, or add create=true")
	if got, want := redact.Error(err, raw).Error(), "open: bad xxxxx, xxxxx, xxxxx, xxxxx, xxxxx, or add create=true"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorUnparsableURL(t *testing.T) {
	for _, raw := range []string{"x://u:geheim%zz@h/p", "x://u:geheim@h:port/p"} {
		_, err := url.Parse(raw)
		if got := redact.Error(err, raw).Error(); strings.Contains(got, "geheim") {
			t.Errorf("%s: got %q", raw, got)
		}
	}
}

func TestErrorWithoutSecrets(t *testing.T) {
	if err := errors.New("refused"); redact.Error(err, "x://h/p") != err {
		t.Error("an error without secrets is another")
	}
	if redact.Error(nil, "x://u@h") != nil {
		t.Error("nil is not nil")
	}
}

// TestValues: an error is without the secrets of what the command line had, in whatever form,
// and otherwise as it was.
func TestValues(t *testing.T) {
	for _, value := range []string{
		"x://u:geheim@h/p", "--flag=x://u:geheim@h/p", "a=x://h/p?sig=geheim", "a=x://u:geheim%zz@h", " x://u:geheim@h", "x:u:geheim@h", "-Qx://geheim@h", "x://u:geheim@h\x01",
	} {
		err := fmt.Errorf("unexpected %s, that is %q", value, value)
		if _, rest, ok := strings.Cut(value, "="); ok {
			err = fmt.Errorf("%w: %s", err, rest)
		}
		if got := redact.Values(err, []string{"a", value}); strings.Contains(got.Error(), "geheim") || !errors.Is(got, err) {
			t.Errorf("%q: got %q", value, got)
		}
	}
	err := errors.New("no a://b nor /srv//in and mem://")
	if got := redact.Values(err, []string{"a://b", "/srv//in", "mem://", "", "="}); got != err {
		t.Errorf("got %q", got)
	}
}

func TestParse(t *testing.T) {
	for _, raw := range []string{"x://u:geheim%zz@h/p", "x://u:geheim@h:port/p", "x://[u:geheim@h", "x://h\x01?sig=geheim", "1x://geheim@h"} {
		if u, err := redact.Parse(raw); err == nil || strings.Contains(err.Error(), "geheim") || errors.Unwrap(err) != nil {
			t.Errorf("%q: got %v, %v", raw, u, err)
		}
	}
	if u, err := redact.Parse("x://u:geheim@h/p"); err != nil || u.Host != "h" {
		t.Errorf("got %v, %v", u, err)
	}
}

func TestURLWithMisplacedUser(t *testing.T) {
	for raw, want := range map[string]string{
		"x:/u:geheim@h/p":       "(unparsable URL)",
		"x:///u:geheim@h/p":     "(unparsable URL)",
		"x://u:1/geheim@h/p":    "(unparsable URL)",
		"x://geh/eim@h/p":       "(unparsable URL)",
		"file://u:1/geheim@h/p": "(unparsable URL)",
		"file:///srv/a@b":       "file:///srv/a@b",
		"x://h/a%40b":           "x://h/a%40b",
	} {
		if got := redact.URL(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestServer(t *testing.T) {
	for _, raw := range []string{"", "http://h", "https://h:8080/p", "https://u:p@h"} {
		if err := redact.Server("ENDPOINT", raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, raw := range []string{
		"h", "h:1", "http:/h", "http://", "ftp://h", "http://h?sig=geheim", "http://h#geheim", "http://geheim@h", "http://u:geheim%zz@h", "http:/u:geheim@h", "http://u:1/geheim@h",
	} {
		if err := redact.Server("ENDPOINT", raw); err == nil || strings.Contains(err.Error(), "geheim") || !strings.HasPrefix(err.Error(), "ENDPOINT ") {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}
