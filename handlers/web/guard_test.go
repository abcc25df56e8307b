package web_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

const secret = "0123456789abcdef-secret"

// letters are dead letters that count how often they are used.
type letters struct {
	runs   []redrive.Action
	match  redrive.Match
	report redrive.Report
	err    error
}

func (l *letters) Run(_ context.Context, a redrive.Action, m redrive.Match) (redrive.Report, error) {
	l.runs, l.match = append(l.runs, a), m
	l.report.Action = a
	return l.report, l.err
}

func tokenFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func openToken(t *testing.T, path string) *web.Token {
	t.Helper()
	token, err := web.OpenToken(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func handler(t *testing.T, c web.Config) http.Handler {
	t.Helper()
	h, err := web.Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// discard is a request that changes something, as a program sends it.
func discard(change func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:5000/v1/dead-letters/discard", strings.NewReader(`{"all":true}`))
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	return r
}

// TestGuard: who may change something, with a token and without.
func TestGuard(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	open := web.Actions{Open: true}
	token := web.Actions{Token: openToken(t, tokenFile(t, secret+"\n", 0o600))}
	both := web.Actions{Open: true, Token: token.Token}
	bearer := set("Authorization", "Bearer "+secret)
	for name, tc := range map[string]struct {
		actions web.Actions
		change  func(*http.Request)
		want    int
		problem string
	}{
		"neither":                         {web.Actions{}, nil, 404, "off"},
		"neither, with some token":        {web.Actions{}, bearer, 404, "off"},
		"open: a program":                 {open, nil, 200, ""},
		"open: localhost":                 {open, host("localhost:5000"), 200, ""},
		"open: IPv6":                      {open, host("[::1]:5000"), 200, ""},
		"open: the page":                  {open, set("Sec-Fetch-Site", "same-origin"), 200, ""},
		"open: another site":              {open, set("Sec-Fetch-Site", "cross-site"), 403, "foreign-origin"},
		"open: another port":              {open, set("Sec-Fetch-Site", "same-site"), 403, "foreign-origin"},
		"open: another origin":            {open, set("Origin", "http://evil.example"), 403, "foreign-origin"},
		"open: no origin":                 {open, set("Origin", "null"), 403, "foreign-origin"},
		"open: a name that was rebound":   {open, host("evil.example:5000"), 421, "unknown-host"},
		"open: a form":                    {open, set("Content-Type", "text/plain"), 415, "not-json"},
		"open: a form that says JSON":     {open, set("Content-Type", "text/plain; application/json"), 415, "not-json"},
		"open: a proxy":                   {open, set("X-Forwarded-For", "203.0.113.7"), 403, "forwarded"},
		"open: a proxy that follows RFC":  {open, set("Forwarded", "for=203.0.113.7"), 403, "forwarded"},
		"token":                           {token, bearer, 200, ""},
		"token: in lower case":            {token, set("authorization", "bearer "+secret), 200, ""},
		"token: behind a proxy":           {token, func(r *http.Request) { bearer(r); r.Host = "sums.example"; r.Header.Set("Via", "a") }, 200, ""},
		"token: none":                     {token, nil, 401, "token-needed"},
		"token: wrong":                    {token, set("Authorization", "Bearer "+secret+"x"), 401, "token-needed"},
		"token: a part":                   {token, set("Authorization", "Bearer "+secret[:16]), 401, "token-needed"},
		"token: empty":                    {token, set("Authorization", "Bearer "), 401, "token-needed"},
		"token: another scheme":           {token, set("Authorization", "Basic "+secret), 401, "token-needed"},
		"token: in the query":             {token, func(r *http.Request) { r.URL.RawQuery = "access_token=" + secret }, 401, "token-needed"},
		"token and loopback: a token":     {both, bearer, 200, ""},
		"token and loopback: none":        {both, nil, 401, "token-needed"},
		"token: the file says JSON still": {token, func(r *http.Request) { bearer(r); r.Header.Del("Content-Type") }, 415, "not-json"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &letters{report: redrive.Report{Summary: redrive.Summary{End: redrive.Empty}}}
			tc.actions.DeadLetters = l
			w := httptest.NewRecorder()
			handler(t, web.Config{Actions: tc.actions}).ServeHTTP(w, discard(tc.change))
			if w.Code != tc.want || (tc.problem != "") != strings.Contains(w.Body.String(), "#"+tc.problem+`"`) && tc.problem != "" {
				t.Errorf("status %d, want %d with problem %q: %s", w.Code, tc.want, tc.problem, w.Body)
			}
			if done := len(l.runs) > 0; done != (tc.want == 200) {
				t.Errorf("it was done: %v", done)
			}
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the answer has the token: %s", w.Body)
			}
		})
	}
}

// TestLookIsGuarded: a GET receives messages, which some queues count.
func TestLookIsGuarded(t *testing.T) {
	l := &letters{}
	h := handler(t, web.Config{Actions: web.Actions{Open: true, DeadLetters: l}})
	r := httptest.NewRequest("GET", "http://127.0.0.1/v1/dead-letters", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || len(l.runs) > 0 {
		t.Errorf("status %d, %d runs", w.Code, len(l.runs))
	}
}

// TestTokenChanges: a new token in the file holds at once, and with a broken file none does.
func TestTokenChanges(t *testing.T) {
	path := tokenFile(t, secret, 0o600)
	l := &letters{}
	h := handler(t, web.Config{Actions: web.Actions{Token: openToken(t, path), DeadLetters: l}})
	status := func(token string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, discard(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }))
		return w.Code
	}
	next := "another-secret-of-24-bytes"
	for _, step := range []struct {
		content, token string
		want           int
	}{
		{secret, secret, 200},
		{next, secret, 401},
		{next, next, 200},
		{"", next, 503},
		{"", "", 503},
		{next, next, 200},
	} {
		if err := os.WriteFile(path, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := status(step.token); got != step.want {
			t.Errorf("file %q, token %q: status %d, want %d", step.content, step.token, got, step.want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := status(next); got != 503 {
		t.Errorf("no file: status %d", got)
	}
}

// TestTokenFiles: which files are accepted. No message contains the token.
func TestTokenFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		mode    os.FileMode
		fault   string // empty: accepted
		warns   bool
	}{
		"good":               {secret, 0o600, "", false},
		"with a line end":    {secret + "\r\n", 0o600, "", false},
		"a group may read":   {secret, 0o640, "", false},
		"all may read":       {secret, 0o644, "", true},
		"a group may write":  {secret, 0o660, "", true},
		"empty":              {"", 0o600, "has 0 characters", false},
		"short":              {secret[:15], 0o600, "has 15 characters", false},
		"two lines":          {secret + "\n" + secret, 0o600, "one line", false},
		"a space":            {secret + " x", 0o600, "one line", false},
		"not ASCII":          {secret + "é", 0o600, "one line", false},
		"huge":               {strings.Repeat("x", 1<<20), 0o600, "more than 4096 bytes", false},
		"a byte of zero":     {secret + "\x00", 0o600, "one line", false},
		"long, and accepted": {strings.Repeat("x", 4096), 0o600, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			path := tokenFile(t, tc.content, tc.mode)
			if err := os.Chmod(path, tc.mode); err != nil { // whatever the umask is
				t.Fatal(err)
			}
			_, err := web.OpenToken(path, slog.New(slog.NewTextHandler(&log, nil)))
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("error %v, want %q", err, tc.fault)
			}
			if warns := strings.Contains(log.String(), "chmod 600"); warns != tc.warns {
				t.Errorf("log: %s", log.String())
			}
			if err != nil && strings.Contains(err.Error()+log.String(), secret) {
				t.Errorf("the token is in %v or %s", err, log.String())
			}
		})
	}
	if _, err := web.OpenToken(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := web.OpenToken(filepath.Join(t.TempDir(), "missing"), nil); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestWrongTokens: an address that guesses is refused for a minute, whatever it sends, and others are not.
func TestWrongTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		token, err := web.OpenToken(tokenFile(t, secret, 0o600), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		h := handler(t, web.Config{Actions: web.Actions{Token: token, DeadLetters: &letters{}}})
		send := func(address, token string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, discard(func(r *http.Request) { r.RemoteAddr = address; r.Header.Set("Authorization", "Bearer "+token) }))
			return w
		}
		for range 10 {
			if w := send("[2001:db8::1]:1000", "wrong"); w.Code != 401 {
				t.Fatalf("status %d", w.Code)
			}
		}
		if w := send("[2001:db8::2]:1000", secret); w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("the same network: status %d, headers %v", w.Code, w.Header())
		}
		if w := send("192.0.2.1:1000", secret); w.Code != 200 {
			t.Errorf("another address: status %d", w.Code)
		}
		time.Sleep(time.Minute + time.Second)
		if w := send("[2001:db8::1]:1000", secret); w.Code != 200 {
			t.Errorf("after a minute: status %d", w.Code)
		}
		if n := strings.Count(log.String(), "wrong tokens"); n != 1 || strings.Contains(log.String(), secret) {
			t.Errorf("%d warnings: %s", n, log.String())
		}
		for i := range 3000 { // more addresses than are remembered count as one
			send(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256), "wrong")
		}
		if w := send("198.51.100.1:1", secret); w.Code != 429 {
			t.Errorf("after wrong tokens from very many addresses: status %d", w.Code)
		}
		time.Sleep(time.Minute + time.Second)
		if w := send("198.51.100.1:1", "wrong"); w.Code != 401 {
			t.Errorf("a minute later: status %d", w.Code)
		}
		if w := send("198.51.100.1:1", secret); w.Code != 200 {
			t.Errorf("a minute later: status %d", w.Code)
		}
	})
}
