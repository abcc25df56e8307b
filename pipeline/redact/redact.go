// Package redact removes secrets from URLs, and from the errors that quote them.
package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const mask = "xxxxx"

// URL returns a URL for logs and errors: without user, password, query and
// fragment. It returns nothing of a text that may be a misspelt URL with a user.
func URL(raw string) string {
	u, err := Parse(raw)
	if err != nil || (u.Scheme == "" || u.Opaque != "") && strings.Contains(raw, "@") || Misplaced(u) {
		return "(unparsable URL)"
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	return u.String()
}

// Error returns err without the secrets of a URL in its text: the whole URL
// becomes its [URL], and the user's token, the password and each name=value of
// the query are masked. The result wraps err. It is err itself if the text holds
// none of these.
func Error(err error, raw string) error {
	if err == nil {
		return nil
	}
	quoted := strconv.Quote(raw)
	whole, secrets := []string{raw, quoted[1 : len(quoted)-1]}, []string(nil)
	if u, parseErr := Parse(raw); parseErr == nil {
		whole = append(whole, u.String(), u.Redacted())
		secrets = secretsOf(u)
	}
	text := err.Error()
	for _, form := range whole {
		text = replace(text, form, URL(raw))
	}
	for _, secret := range secrets {
		text = replace(text, secret, mask)
	}
	if text == err.Error() {
		return err
	}
	return &redacted{text, err}
}

// Values returns err without the secrets of those values that look like URLs, or like
// URLs that are misspelt. A value may be a setting, as in --queue=URL or NAME=URL.
func Values(err error, values []string) error {
	for _, value := range values {
		for likeURL(value) {
			err = Error(err, value)
			_, value, _ = strings.Cut(value, "=")
		}
	}
	return err
}

// likeURL reports whether a text may be a URL that has a secret.
func likeURL(text string) bool {
	_, afterColon, _ := strings.Cut(text, ":")
	return strings.Contains(text, "//") && strings.ContainsAny(text, "@?#") || strings.Contains(afterColon, "@")
}

// secretsOf returns the parts of a URL that must not be shown, the longest first,
// as one may be the beginning of another.
func secretsOf(u *url.URL) []string {
	secrets := strings.Split(u.RawQuery, "&")
	for name, values := range u.Query() {
		for _, value := range values {
			secrets = append(secrets, name+"="+value)
		}
	}
	if password, has := u.User.Password(); has {
		secrets = append(secrets, u.User.String(), password)
	} else {
		secrets = append(secrets, u.User.Username()) // a token
	}
	// A switch or a region is no secret, and errors name it in their advice.
	secrets = slices.DeleteFunc(secrets, func(s string) bool {
		name, value, _ := strings.Cut(s, "=")
		return value == "true" || value == "false" || name == "region" || place.MatchString(s)
	})
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}

// place matches a parameter that says where a bucket is, if its value can be nothing else.
var place = regexp.MustCompile(`^(region=[a-z0-9-]+|profile=[A-Za-z0-9._-]{1,32}|storage_account=[a-z0-9]{3,24}|(use_path_style|anonymous)=(true|false)|endpoint=https?://[A-Za-z0-9.-]+(:[0-9]+)?/?)$`)

// Place returns of a query those parameters that say where a bucket is, after a question mark; nothing without any. No
// other is in it, as it may be a secret.
func Place(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if plain, err := url.QueryUnescape(pair); err == nil && place.MatchString(plain) {
			kept = append(kept, plain)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + strings.Join(kept, "&")
}

func replace(text, secret, by string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, by)
}

// redacted is an error without secrets in its text.
type redacted struct {
	text string
	err  error
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.err }
