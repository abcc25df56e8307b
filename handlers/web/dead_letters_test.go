package web_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// TestDeadLetters: orders, what is done about them, and the answers.
func TestDeadLetters(t *testing.T) {
	const redriveURL, discardURL = "/v1/dead-letters/redrive", "/v1/dead-letters/discard"
	found := redrive.Report{
		Summary: redrive.Summary{End: redrive.Empty, Total: redrive.Tally{Found: 2, Matched: 2}, Groups: []redrive.Group{{Reason: "denied"}}},
		From:    "amqp://user:hunter2@rabbit/?queue=failed",
	}
	for name, tc := range map[string]struct {
		method, path, body string
		err                error
		want               int
		says               string
		action             redrive.Action // if it is 200
		match              redrive.Match
	}{
		"look": {"GET", "/v1/dead-letters", "", nil, 200, `"action":"look","end":"empty","found":2,"matched":2`, redrive.Look, redrive.Match{}},
		"look at some": {"GET", "/v1/dead-letters?match=reason%3Ddenied&match=bucket%3Da", "", nil, 200, `"groups":[{"reason":"denied"`, redrive.Look,
			redrive.Match{Reasons: []string{"denied"}, Buckets: []string{"a"}}},
		"look, wrong match":  {"GET", "/v1/dead-letters?match=age%3D3", "", nil, 400, `is not reason=TEXT`, 0, redrive.Match{}},
		"no such parameter":  {"GET", "/v1/dead-letters?foo=1", "", nil, 400, `There is no parameter`, 0, redrive.Match{}},
		"look, wrong query":  {"GET", "/v1/dead-letters?match=%zz", "", nil, 400, `#invalid-query`, 0, redrive.Match{}},
		"look, POST":         {"POST", "/v1/dead-letters", "{}", nil, 405, `#method-not-allowed`, 0, redrive.Match{}},
		"redrive all":        {"POST", redriveURL, `{"all":true}`, nil, 200, `"action":"send"`, redrive.Send, redrive.Match{}},
		"redrive one object": {"POST", redriveURL, `{"match":["object=a/b/c"]}`, nil, 200, `"action":"send"`, redrive.Send, redrive.Match{Objects: []string{"a/b/c"}}},
		"discard":            {"POST", discardURL, `{"match":["key=*.tmp"]}`, nil, 200, `"action":"discard"`, redrive.Discard, redrive.Match{Keys: []string{"*.tmp"}}},
		"GET":                {"GET", discardURL, "", nil, 405, `#method-not-allowed`, 0, redrive.Match{}},
		"nothing said":       {"POST", discardURL, `{}`, nil, 400, `Say which`, 0, redrive.Match{}},
		"an empty match":     {"POST", discardURL, `{"match":[]}`, nil, 400, `Say which`, 0, redrive.Match{}},
		"all and some":       {"POST", discardURL, `{"match":["bucket=a"],"all":true}`, nil, 400, `Say which`, 0, redrive.Match{}},
		"no body":            {"POST", discardURL, ``, nil, 400, `#invalid-order`, 0, redrive.Match{}},
		"a typing mistake":   {"POST", discardURL, `{"matches":["bucket=a"],"all":true}`, nil, 400, `#invalid-order`, 0, redrive.Match{}},
		"two orders":         {"POST", discardURL, `{"all":true}{"all":true}`, nil, 400, `one JSON object`, 0, redrive.Match{}},
		"a wrong match":      {"POST", discardURL, `{"match":["bucket=a","key=["]}`, nil, 400, `is not reason=TEXT`, 0, redrive.Match{}},
		"many matches":       {"POST", discardURL, `{"match":["bucket=a"` + strings.Repeat(`,"bucket=a"`, 100) + `]}`, nil, 400, `too many`, 0, redrive.Match{}},
		"a huge order":       {"POST", discardURL, `{"match":["reason=` + strings.Repeat("x", 1<<21) + `"]}`, nil, 400, `#invalid-order`, 0, redrive.Match{}},
		"all that the page lists": {"POST", discardURL, `{"match":["key=` + strings.Repeat("x", 1024) + `"` + strings.Repeat(`,"key=`+strings.Repeat("x", 1024)+`"`, 99) + `]}`, nil, 200, `"action":"discard"`, redrive.Discard,
			redrive.Match{Keys: slices.Repeat([]string{strings.Repeat("x", 1024)}, 100)}},
		"busy":        {"POST", discardURL, `{"all":true}`, web.ErrBusy, 409, `#busy`, redrive.Discard, redrive.Match{}},
		"not reached": {"POST", discardURL, `{"all":true}`, errors.New("no such queue"), 502, `no such queue`, redrive.Discard, redrive.Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &letters{report: found, err: tc.err}
			r := httptest.NewRequest(tc.method, "http://127.0.0.1"+tc.path, strings.NewReader(tc.body))
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			w := httptest.NewRecorder()
			handler(t, web.Config{Actions: web.Actions{Open: true, DeadLetters: l}}).ServeHTTP(w, r)
			if w.Code != tc.want || !strings.Contains(w.Body.String(), tc.says) || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("status %d, want %d and %q: %s", w.Code, tc.want, tc.says, w.Body)
			}
			want := []redrive.Action{tc.action}
			if tc.want != 200 && tc.err == nil {
				want = nil
			}
			if diff := cmp.Diff(want, l.runs); diff != "" {
				t.Errorf("runs: %s", diff)
			}
			if diff := cmp.Diff(tc.match, l.match); diff != "" {
				t.Errorf("match: %s", diff)
			}
		})
	}
}

// TestNoDeadLetters: the answer says what is missing.
func TestNoDeadLetters(t *testing.T) {
	h := handler(t, web.Config{Actions: web.Actions{Open: true, NoDeadLetters: "start it with --dead-letter"}})
	for _, r := range []*struct{ method, path string }{{"GET", "/v1/dead-letters"}, {"POST", "/v1/dead-letters/redrive"}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(r.method, "http://127.0.0.1"+r.path, nil))
		if w.Code != 404 || !strings.Contains(w.Body.String(), "start it with --dead-letter") {
			t.Errorf("%s: status %d: %s", r.path, w.Code, w.Body)
		}
	}
}
