package redact_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// FuzzError asserts that no password or parameter of a URL is left in an error, whatever it is.
func FuzzError(f *testing.F) {
	for _, secret := range []string{"hunter2-s3cr3t", "p@ss:w/ord?", "a b%20c&d=e", "ü💎\x00\n", "%", "=====", "+++++++"} {
		f.Add(secret)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		const host = "amqp://@host/queue?token="
		if len(secret) < 6 || strings.Contains(host+"open : xxxxx dial (unparsable URL)", secret) {
			return // it is found in any text
		}
		u := url.URL{Scheme: "amqp", User: url.UserPassword("u", secret), Host: "host", Path: "/queue", RawQuery: "token=" + url.QueryEscape(secret)}
		raw := u.String()
		for _, text := range []string{raw, u.User.String(), "token=" + secret, u.RawQuery, secret} {
			got := redact.Error(fmt.Errorf("open %s: dial", text), raw).Error()
			for _, form := range []string{secret, url.QueryEscape(secret), u.User.String()} {
				if strings.Contains(got, form) {
					t.Errorf("of %q is left %q", text, got)
				}
			}
		}
		if got := redact.URL(raw); got != "amqp://host/queue" {
			t.Errorf("%q becomes %q", raw, got)
		}
		// A URL that cannot be parsed is not shown at all.
		if got := redact.URL("amqp://host:" + secret + "\x7f"); strings.Contains(got, secret) {
			t.Errorf("%q is shown", got)
		}
	})
}
