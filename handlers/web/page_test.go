package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestPageStatus searches the page for everything that it must show.
func TestPageStatus(t *testing.T) {
	status := sample(t)
	s := start(t, web.Config{
		Status:  func() live.Status { return status },
		Records: map[string]web.Records{"inbox": records{}},
	})
	response, html := s.get(t, "/")
	if response.StatusCode != http.StatusOK {
		t.Errorf("status is %d", response.StatusCode)
	}
	for _, want := range []string{
		`<span class="bucket">inbox/</span>photos/a b.jpg`,
		`<code>` + sumOf([]byte("photos/a b.jpg")) + `</code>`,
		`<time datetime="2000-01-01T00:00:01.234Z">2000-01-01 00:00:01 UTC</time>`,
		`1.5s`, `record removed`, `already recorded`, `permission denied`, `will be retried`, `given up`, `message m<`, `not JSON`,
		`<progress max="1099511627776" value="1000" `, `<progress aria-label`, `1000 B of 1.0 TiB`,
		`GET /status`, `GET /v1/records`, `<option>inbox</option>`, `action="md5"`, `enctype="multipart/form-data"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("page lacks %s", want)
		}
	}
}

// TestPageChanges: a viewer who has the page is told so, until the status has changed and the page was kept for a moment.
func TestPageChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		h := newHandler(t, web.Config{Status: a.Status})
		ask := func(tag string) *http.Response {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("If-None-Match", tag)
			h.ServeHTTP(w, r)
			return w.Result()
		}
		tag := ask("").Header.Get("ETag")
		if again := ask(tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("asked again: %d", again.StatusCode)
		}
		livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object("a", 1)))
		time.Sleep(time.Second)
		if again := ask(tag); again.StatusCode != http.StatusOK {
			t.Errorf("asked after a change: %d", again.StatusCode)
		}
	})
}

// TestPageQuery selects results without a script.
func TestPageQuery(t *testing.T) {
	status := sample(t)
	s := start(t, web.Config{Status: func() live.Status { return status }})
	for query, want := range map[string]bool{"": true, "?q=A%20B": true, "?q=other": false, "?outcome=recorded": true, "?outcome=deleted": false} {
		if _, html := s.get(t, "/"+query); strings.Contains(html, "photos/a b.jpg") != want {
			t.Errorf("page with %q shows the result: %v, want %v", query, !want, want)
		}
	}
}

// TestPageHostileNames shows that every name is only text on the page.
func TestPageHostileNames(t *testing.T) {
	for name, tc := range map[string]struct{ key, shown string }{
		"markup":           {`</bdi><script>alert(1)</script>`, `&lt;/bdi&gt;&lt;script&gt;alert(1)&lt;/script&gt;`},
		"attribute":        {`" onmouseover="alert(1)`, `&#34; onmouseover=&#34;alert(1)`},
		"template":         {`{{.Version}}`, `{{.Version}}`},
		"terminal":         {"a\x1b[31m\x00\x7f", `a<span class="esc">\x1b</span>[31m<span class="esc">\x00</span><span class="esc">\x7f</span>`},
		"line":             {"a\nb\u2028c", `a<span class="esc">\n</span>b<span class="esc">\u2028</span>c`},
		"direction":        {"a\u202egnp.exe\u2066", `a<span class="esc">\u202e</span>gnp.exe<span class="esc">\u2066</span>`},
		"invisible":        {"a\u200bb\ufeff\u00a0", `a<span class="esc">\u200b</span>b<span class="esc">\ufeff</span><span class="esc">\u00a0</span>`},
		"not UTF-8":        {"a\xffb", `a<span class="esc">\xff</span>b`},
		"backslash":        {`a\nb`, `a\nb`},
		"replacement rune": {"a\ufffdb", "a\ufffdb"},
		"other scripts":    {"日本語 שלום é", "日本語 שלום é"},
		"private plane":    {"\U000f0000", `<span class="esc">\U000f0000</span>`},
	} {
		t.Run(name, func(t *testing.T) {
			a := live.NewActivity()
			o := pipeline.Object{Bucket: tc.key, Key: tc.key, Size: 1}
			livetest.Publish(t, a, livetest.Result(pipeline.Recorded, o))
			a.Fail(pipeline.Object{Bucket: "b", Key: "other"}, tc.key)
			livetest.End(t, a, pipeline.Delivery{MessageID: tc.key, Fate: pipeline.DeadLettered, Err: errors.New("x")})
			if _, err := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source.Open(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			s := start(t, web.Config{Status: a.Status, Records: map[string]web.Records{"inbox": records{}}})
			_, html := s.get(t, "/")
			for place, want := range map[string]string{
				"name":    `<span class="bucket">` + tc.shown + `/</span>` + tc.shown + `</bdi>`,
				"reason":  `<p class="reason">` + tc.shown + `</p>`,
				"message": `<span class="name">message ` + tc.shown + `</span>`,
			} {
				if !strings.Contains(html, want) {
					t.Errorf("%s is not shown as %s", place, want)
				}
			}
			if strings.ContainsAny(html, "\x00\x1b\x7f\u200b\u202e\u2066\u2028\ufeff") {
				t.Error("page has a character that must not be shown")
			}
		})
	}
}

// TestPagePolicy shows that the policy of the page permits only its own style and script, and that the page
// needs nothing else.
func TestPagePolicy(t *testing.T) {
	s := start(t, web.Config{Status: live.NewActivity().Status, Records: map[string]web.Records{"inbox": records{}}})
	response, html := s.get(t, "/")
	want := "default-src 'none'; script-src " + inlineHash(t, html, "script") + "; style-src " + inlineHash(t, html, "style") +
		"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if got := response.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy is\n%s, want\n%s", got, want)
	}
	for header, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := response.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if found := regexp.MustCompile(`(?i)<[^>]* (on[a-z]+|style|src)=|(href|action)="(//|https?:)|javascript:`).FindString(html); found != "" {
		t.Errorf("page has %s", found)
	}
}

func inlineHash(t *testing.T, html, tag string) string {
	t.Helper()
	parts := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(html, -1)
	if len(parts) != 1 {
		t.Fatalf("page has %d of %s", len(parts), tag)
	}
	sum := sha256.Sum256([]byte(parts[0][1]))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
