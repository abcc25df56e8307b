package web_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// everything is a configuration with every route.
func everything(t *testing.T, change func(*web.Config)) http.Handler {
	t.Helper()
	ready := web.NewReadiness(t.Context(), nil)
	t.Cleanup(ready.Close)
	status, left := sample(t), int64(1)
	status.BytesLeft, status.Waiting = &left, &live.Waiting{Count: 1, Bound: live.About, Reason: "--min-free"}
	c := web.Config{
		Status: func() live.Status { return status }, Watch: live.NewActivity().Watch, Ready: ready, Hosts: []string{"localhost"}, MaxUpload: 1000,
		Records: map[string]web.Records{"inbox": records{"a": recordOf("a")}},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		}),
		Actions: web.Actions{Open: true, Objects: map[string]web.Objects{"inbox": objects{}}, DeadLetters: &letters{report: redrive.Report{
			Summary: redrive.Summary{End: redrive.Empty, Total: redrive.Tally{Found: 1, Matched: 1}, Groups: []redrive.Group{{
				Reason: "denied", Oldest: time.Now(), Newest: time.Now(), Samples: []redrive.Sample{{Bucket: "inbox", Key: "a", MessageID: "m"}}, Fault: "gone",
			}}}, From: "rabbit://failed",
		}}},
	}
	if change != nil {
		change(&c)
	}
	return newHandler(t, c)
}

// TestOpenAPIHasEveryRoute compares the routes of the server with the paths of the document, both ways.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	_, documented := readOpenAPI(t).documented()
	var want []string
	for path, methods := range documented {
		path, _, _ = strings.Cut(path, "{")
		want = append(want, strings.Join(methods, ", ")+" "+path)
	}
	got := web.Routes(everything(t, nil))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-document +server):\n%s", diff)
	}
}

// TestOpenAPIHasEveryParameter: a route knows the parameters that the document has for it.
func TestOpenAPIHasEveryParameter(t *testing.T) {
	o, full := readOpenAPI(t), everything(t, nil)
	_, routes := o.documented()
	for path, methods := range routes {
		for _, method := range methods {
			operation, _ := o.object("paths", path, strings.ToLower(method))
			parameters, _ := operation["parameters"].([]any)
			for _, p := range parameters {
				p := p.(map[string]any)
				if p["in"] != "query" {
					continue
				}
				target := strings.NewReplacer("{bucket}", "inbox", "{key}", "a").Replace(path) + "?" + p["name"].(string) + "=x"
				r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
				r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
				full.ServeHTTP(w, r)
				if strings.Contains(w.Body.String(), "There is no parameter") {
					t.Errorf("%s %s: %s", method, target, w.Body)
				}
			}
		}
	}
}

// TestHead: HEAD is answered as GET, without the body.
func TestHead(t *testing.T) {
	s := startHandler(t, everything(t, nil))
	_, routes := readOpenAPI(t).documented()
	for path, methods := range routes {
		if !slices.Contains(methods, http.MethodHead) {
			continue
		}
		target := strings.NewReplacer("{bucket}", "inbox", "{key}", "a").Replace(path)
		if path == "/records" {
			target += "?bucket=inbox&key=a"
		}
		response, err := s.client.Head(s.url(target))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		got := []string{response.Status, response.Header.Get("Content-Type"), response.Header.Get("ETag"), response.Header.Get("Repr-Digest")}
		want := []string{"200 OK", "text/event-stream", "", ""}
		if path != "/v1/events" { // which does not end
			response, _ := s.get(t, target)
			want = []string{"200 OK", response.Header.Get("Content-Type"), response.Header.Get("ETag"), response.Header.Get("Repr-Digest")}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("HEAD %s (-GET +HEAD):\n%s", target, diff)
		}
	}
}

// TestOpenAPIDescribesAnswers provokes every answer in the document and compares it: its body, its headers and its type.
func TestOpenAPIDescribesAnswers(t *testing.T) {
	o := readOpenAPI(t)
	full := everything(t, nil)
	with := func(change func(*web.Config)) http.Handler { return everything(t, change) }
	unhealthy := with(func(c *web.Config) { c.Health = func() error { return errors.New("ended") } })
	draining, drain := context.WithCancel(t.Context())
	drain()
	notReady := web.NewReadiness(draining, nil)
	defer notReady.Close()
	unready := with(func(c *web.Config) { c.Ready = notReady })
	crowded := with(func(c *web.Config) { c.Watch = func(live.Kinds) (*live.Watch, bool) { return nil, false } })
	off := with(func(c *web.Config) { c.Actions = web.Actions{NoDeadLetters: "none"} })
	busy := with(func(c *web.Config) { c.Actions.DeadLetters = &letters{err: web.ErrBusy} })
	broken := with(func(c *web.Config) { c.Actions.DeadLetters = &letters{err: errors.New("no such queue")} })
	token := tokenFile(t, secret, 0o600)
	guarded := with(func(c *web.Config) { c.Actions.Token = openToken(t, token) })
	gone := tokenFile(t, secret, 0o600)
	unreadable := with(func(c *web.Config) { c.Actions.Token = openToken(t, gone) })
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	large, stalled := strings.Repeat("x", 1001), iotest.ErrReader(os.ErrDeadlineExceeded)
	formed := crlf("--b\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\n\nhello\n--b--\n")
	asForm, asJSON := []string{"Content-Type", formType}, []string{"Content-Type", "application/json"}
	foreign := []string{"Content-Type", "application/json", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}

	ask := func(h http.Handler, method, path, target string, want int, body io.Reader, header ...string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(method, target, body)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		for i := 0; i < len(header); i += 2 {
			switch header[i] {
			case "Host":
				r.Host = header[i+1]
			default:
				r.Header.Set(header[i], header[i+1])
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		response := w.Result()
		if response.StatusCode != want {
			t.Errorf("%s %s: status %d, want %d: %s", method, target, response.StatusCode, want, w.Body)
		}
		if err := o.check(method, path, response, w.Body.Bytes()); err != nil {
			t.Error(err)
		}
		return response
	}
	get := func(h http.Handler, path, target string, want int, header ...string) *http.Response {
		t.Helper()
		return ask(h, http.MethodGet, path, target, want, nil, header...)
	}
	post := func(h http.Handler, target string, want int, body io.Reader, header ...string) {
		t.Helper()
		path, _, _ := strings.Cut(target, "?")
		ask(h, http.MethodPost, path, target, want, body, header...)
	}

	// What every route of a kind has.
	targets := map[string]string{"/records": "/records?bucket=inbox&key=a", "/v1/records/{bucket}/{key}": "/v1/records/inbox/a", "/v1/objects/{bucket}/{key}": "/v1/objects/inbox/a"}
	answers, routes := o.documented()
	for _, answer := range answers {
		parts := strings.Fields(answer)
		method, path, status := parts[0], parts[1], parts[2]
		target := path
		if t, ok := targets[path]; ok {
			target = t
		}
		switch status {
		case "421":
			ask(full, method, path, target, 421, nil, "Host", "evil.example")
		case "400":
			if method == http.MethodGet && strings.HasPrefix(path, "/v1/") {
				get(full, path, target+"?unknown=1", 400)
			}
		case "304":
			tag := get(full, path, target, 200).Header.Get("ETag")
			get(full, path, target, 304, "If-None-Match", tag)
		case "429":
			h := everything(t, nil)
			w := httptest.NewRecorder()
			for i := 0; i < 10_000 && w.Code != 429; i++ {
				r := httptest.NewRequestWithContext(draining, method, target, nil) // not from this machine; streams end at once
				r.Host, w = "localhost", httptest.NewRecorder()
				h.ServeHTTP(w, r)
			}
			if err := o.check(method, path, w.Result(), w.Body.Bytes()); err != nil {
				t.Error(err)
			}
		}
	}
	for path := range routes { // a method that no route has
		w := httptest.NewRecorder()
		target := strings.NewReplacer("{bucket}", "inbox", "{key}", "a").Replace(path)
		r := httptest.NewRequest(http.MethodPatch, target, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		full.ServeHTTP(w, r)
		if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != strings.Join(routes[path], ", ") {
			t.Errorf("PATCH %s: %d, Allow %q, want %q", path, w.Code, got, routes[path])
		}
	}

	for _, path := range []string{"/health", "/livez"} {
		get(full, path, path, 200)
		get(unhealthy, path, path, 503)
	}
	get(full, "/readyz", "/readyz", 200)
	get(unready, "/readyz", "/readyz", 503)
	get(full, "/metrics", "/metrics", 200)
	for target, status := range map[string]int{"": 400, "?bucket=inbox&key=none": 404, "?bucket=other&key=a": 404, "?bucket=inbox&key=broken": 502} {
		get(full, "/records", "/records"+target, status)
	}
	for target, status := range map[string]int{"inbox/": 400, "inbox/none": 404, "other/a": 404, "inbox/broken": 502} {
		get(full, "/v1/records/{bucket}/{key}", "/v1/records/"+target, status)
	}
	post(full, "/md5", 200, strings.NewReader(formed), asForm...)
	post(full, "/md5", 400, strings.NewReader(""))
	post(full, "/md5", 408, io.MultiReader(strings.NewReader(formed[:20]), stalled), asForm...)
	post(full, "/md5", 413, strings.NewReader(large), asForm...)
	const sums = "/v1/checksums"
	post(full, sums, 200, strings.NewReader("hello"), "Content-MD5", base64Of(t, helloMD5), "Repr-Digest", "unixsum=:AAA=:")
	post(full, sums, 200, strings.NewReader(formed), asForm...)
	post(full, sums+"?algorithms=x", 400, strings.NewReader("hello"))
	post(full, sums, 400, strings.NewReader("hello"), "Content-MD5", "x")
	post(full, sums, 400, iotest.ErrReader(io.ErrUnexpectedEOF))
	post(full, sums, 400, strings.NewReader(formed[:50]), asForm...)
	post(full, sums, 408, stalled)
	post(full, sums, 413, strings.NewReader(large))
	post(full, sums, 415, strings.NewReader("hello"), "Content-Encoding", "br")
	post(full, sums, 422, strings.NewReader("hallo"), "Content-MD5", base64Of(t, helloMD5))
	release := fillUploads(t, full)
	post(full, "/md5", 503, strings.NewReader(formed), asForm...)
	post(full, sums, 503, strings.NewReader("hello"))
	release()
	get(full, "/v1/events", "/v1/events?only=x", 400)
	get(crowded, "/v1/events", "/v1/events", 503)
	synctest.Test(t, func(*testing.T) { events(t, o) })

	const orders = "/v1/dead-letters"
	get(full, orders, orders, 200)
	get(full, orders, orders+"?match=x", 400)
	get(guarded, orders, orders, 401)
	get(full, orders, orders, 403, foreign...)
	get(off, orders, orders, 404)
	get(busy, orders, orders, 409)
	get(broken, orders, orders, 502)
	get(unreadable, orders, orders, 503)
	for _, path := range []string{orders + "/redrive", orders + "/discard"} {
		all := func() io.Reader { return strings.NewReader(`{"all":true}`) }
		post(full, path, 200, all(), asJSON...)
		post(full, path, 400, strings.NewReader("{}"), asJSON...)
		post(guarded, path, 401, all(), asJSON...)
		post(full, path, 403, all(), foreign...)
		post(off, path, 404, all(), asJSON...)
		post(busy, path, 409, all(), asJSON...)
		post(full, path, 415, all())
		post(broken, path, 502, all(), asJSON...)
		post(unreadable, path, 503, all(), asJSON...)
	}

	put := func(h http.Handler, target string, want int, body io.Reader, header ...string) {
		t.Helper()
		ask(h, http.MethodPut, "/v1/objects/{bucket}/{key}", "/v1/objects/"+target, want, body, header...)
	}
	failing := func(creating, placing error) http.Handler {
		return with(func(c *web.Config) { c.Actions.Objects = map[string]web.Objects{"inbox": objects{creating, placing}} })
	}
	put(full, "inbox/a", 201, strings.NewReader("hello"), "Content-MD5", base64Of(t, helloMD5))
	put(full, "inbox/", 400, strings.NewReader("hello"))
	put(full, "inbox/a?overwrite=x", 400, strings.NewReader("hello"))
	put(full, "inbox/a", 400, strings.NewReader("hello"), "Content-Range", "bytes 0-4/5")
	put(full, "inbox/a", 400, iotest.ErrReader(io.ErrUnexpectedEOF))
	put(failing(pipeline.Permanent(errors.New("a record")), nil), "inbox/a", 400, strings.NewReader("hello"))
	put(guarded, "inbox/a", 401, strings.NewReader("hello"))
	put(full, "inbox/a", 403, strings.NewReader("hello"), foreign...)
	put(failing(os.ErrPermission, nil), "inbox/a", 403, strings.NewReader("hello"))
	put(full, "other/a", 404, strings.NewReader("hello"))
	put(full, "inbox/a", 408, stalled)
	put(failing(nil, pipeline.ErrChanged), "inbox/a", 409, strings.NewReader("hello"))
	put(failing(nil, pipeline.ErrChanged), "inbox/a", 412, strings.NewReader("hello"), "If-Match", "*")
	put(full, "inbox/a", 413, strings.NewReader(large))
	put(full, "inbox/a", 415, strings.NewReader("hello"), "Content-Encoding", "br")
	put(full, "inbox/a", 422, strings.NewReader("hallo"), "Content-MD5", base64Of(t, helloMD5))
	put(failing(nil, errors.New("odd")), "inbox/a", 500, strings.NewReader("hello"))
	put(unreadable, "inbox/a", 503, strings.NewReader("hello"))
	release = fillUploads(t, full)
	put(full, "inbox/a", 503, strings.NewReader("hello"))
	release()
	put(failing(syscall.ENOSPC, nil), "inbox/a", 507, strings.NewReader("hello"))
	for _, answer := range answers {
		if !o.seen[answer] {
			t.Errorf("%s is in the document and was not provoked", answer)
		}
	}
}

// objects are files that are written nowhere, or fail.
type objects struct{ creating, placing error }

func (o objects) Create(string) (web.Upload, error) { return o, o.creating }

func (o objects) Write(p []byte) (int, error) { return len(p), nil }

func (o objects) Place(web.Replace) (string, error) { return "1-5", o.placing }

func (o objects) Close() error { return nil }

// fillUploads takes all places for uploads, until release.
func fillUploads(t *testing.T, h http.Handler) (release func()) {
	t.Helper()
	var ends []*io.PipeWriter
	ended := make(chan struct{})
	for range 256 {
		body, w := io.Pipe()
		ends = append(ends, w)
		r := httptest.NewRequest(http.MethodPost, "/v1/checksums", body)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		go func() {
			h.ServeHTTP(httptest.NewRecorder(), r)
			ended <- struct{}{}
		}()
		if _, err := w.Write([]byte("x")); err != nil { // it reads, so it was admitted
			t.Fatal(err)
		}
	}
	return func() {
		for _, w := range ends {
			_ = w.Close() // a pipe's Close does not fail
			<-ended
		}
	}
}

// events compares every kind of event with its schema.
func events(t *testing.T, o *openAPI) {
	a := live.NewActivity()
	h := newHandler(t, web.Config{Watch: a.Watch})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	go func() {
		time.Sleep(1100 * time.Millisecond)
		for range 1001 {
			livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object("a", 1)))
		}
		time.Sleep(time.Second)
		livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "b", pipeline.ErrNotFound))
		a.Fail(livetest.Object("c", 1), "odd")
	}()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/events", nil).WithContext(ctx))
	if err := o.check(http.MethodGet, "/v1/events", w.Result(), w.Body.Bytes()); err != nil {
		t.Error(err)
	}
	seen := make(map[string]bool)
	documented, place := o.object("paths", "/v1/events", "get", "responses", "200", "x-events")
	for event := range strings.SplitSeq(strings.TrimSpace(w.Body.String()), "\n\n") {
		kind, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if !ok {
			continue // the time to try again
		}
		if err := o.valid([]byte(data), append(slices.Clone(place), kind)...); err != nil {
			t.Errorf("event %s: %v", kind, err)
		}
		seen[kind] = true
	}
	if len(seen) != len(documented) {
		t.Errorf("events are %v, and the document has %v", seen, slices.Collect(maps.Keys(documented)))
	}
}
