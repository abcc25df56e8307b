package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
)

// inMemory serves a configuration on connections in memory, within a bubble of synctest. drain begins the drain, end
// ends it and waits for the server.
func inMemory(t *testing.T, config web.Config) (client *http.Client, drain, end func()) {
	t.Helper()
	l := &pipes{clients: make(chan net.Conn), closed: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	drained, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- web.Serve(ctx, drained, l, newHandler(t, config), 30*time.Second, nil, nil) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.clients <- server
		return client, nil
	}}
	return &http.Client{Transport: transport}, stop, func() {
		stop()
		close(drained)
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// stream opens a stream of events.
func stream(t *testing.T, client *http.Client, path string) *http.Response {
	t.Helper()
	response, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("GET %s: %d, %q", path, response.StatusCode, response.Header)
	}
	return response
}

// TestEvents reads a stream through a connection: longer than an answer may take, with heartbeats, until the drain
// has ended.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		client, drain, end := inMemory(t, web.Config{Watch: a.Watch})
		response := stream(t, client, "/v1/events")
		lines := bufio.NewScanner(response.Body)
		next := func() string {
			var event []string
			for lines.Scan() && lines.Text() != "" {
				event = append(event, lines.Text())
			}
			return strings.Join(event, "\n")
		}
		want := func(prefix string) {
			t.Helper()
			if got := next(); !strings.HasPrefix(got, prefix) {
				t.Errorf("got %q, want %q", got, prefix)
			}
		}
		want("retry: 2000")
		want("event: status\ndata: {\"totals\":{\"summed\":0,")
		start := time.Now()
		for range 20 {
			want(":")
		}
		if after := time.Since(start); after != 5*time.Minute {
			t.Errorf("20 heartbeats took %v", after)
		}
		livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object("a", 1)))
		want("event: result\ndata: {\"at\":")
		want("event: status\ndata: {\"totals\":{\"summed\":1,")
		drain()
		time.Sleep(time.Second)
		a.Fail(livetest.Object("b", 1), "stopped")
		want("event: failure\ndata: {\"at\":")
		want("event: status\ndata: {\"totals\":{\"summed\":1,")
		var stopped sync.WaitGroup
		stopped.Go(end)
		if got := next(); got != "" || lines.Err() != nil {
			t.Errorf("after the drain: %q, %v", got, lines.Err())
		}
		stopped.Wait()
		_ = response.Body.Close()
	})
}

// TestEventsOfSlowClients: a client that does not read delays neither the work nor the end, and its connection is
// closed after a minute.
func TestEventsOfSlowClients(t *testing.T) {
	for name, wait := range map[string]time.Duration{"is closed": 2 * time.Minute, "does not delay the end": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := live.NewActivity()
				client, _, end := inMemory(t, web.Config{Watch: a.Watch})
				response := stream(t, client, "/v1/events") // a pipe has no buffer
				for range 100 {
					livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object(strings.Repeat("k", 4000), 1)))
				}
				time.Sleep(time.Second)
				time.Sleep(wait)
				start := time.Now()
				if wait > 0 {
					if _, err := io.Copy(io.Discard, response.Body); err == nil {
						t.Error("the stream has a regular end")
					}
				}
				end()
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("the end took %v", took)
				}
				_ = response.Body.Close()
			})
		})
	}
}

// TestEventsEndWithTheirClient: a client that goes makes room for another.
func TestEventsEndWithTheirClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		client, _, end := inMemory(t, web.Config{Watch: a.Watch})
		var open []*http.Response
		for range live.MaxWatches {
			open = append(open, stream(t, client, "/v1/events?only=status"))
		}
		response, err := client.Get("http://localhost/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		if got := problemOf(t, response); got != "too-many-streams" || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "10" {
			t.Errorf("one stream more: %s, %d %v", got, response.StatusCode, response.Header)
		}
		_ = open[0].Body.Close()
		synctest.Wait()
		open[0] = stream(t, client, "/v1/events")
		for _, r := range open {
			_ = r.Body.Close()
		}
		synctest.Wait()
		end()
	})
}

// problemOf returns the name of the problem that is the answer.
func problemOf(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
		t.Errorf("the answer is not JSON: %v", err)
	}
	if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if p.Title == "" || p.Status != response.StatusCode || p.Instance != response.Request.URL.EscapedPath() {
		t.Errorf("problem of %s with status %d is %+v", response.Request.URL, response.StatusCode, p)
	}
	_, name, _ := strings.Cut(p.Type, "/docs/http.md#")
	return name
}

func TestRoutesV1(t *testing.T) {
	a := live.NewActivity()
	s := start(t, web.Config{Watch: a.Watch, Status: a.Status, Hosts: []string{"localhost"}})
	for _, tc := range []struct {
		method, path, host string
		status             int
		problem, allow     string
	}{
		{"GET", "/v1/status", "", 200, "", ""},
		{"HEAD", "/v1/status", "", 200, "", ""},
		{"HEAD", "/v1/events", "", 200, "", ""},
		{"POST", "/v1/status", "", 405, "method-not-allowed", "GET, HEAD"},
		{"DELETE", "/v1/events", "", 405, "method-not-allowed", "GET, HEAD"},
		{"GET", "/v1/events?only=results", "", 400, "invalid-query", ""},
		{"GET", "/v1/events?only=status&only=status", "", 400, "invalid-query", ""},
		{"GET", "/v1/events?only=%zz", "", 400, "invalid-query", ""},
		{"GET", "/v1/events?onyl=status", "", 400, "invalid-query", ""},
		{"GET", "/v1", "", 404, "not-found", ""},
		{"GET", "/v1/", "", 404, "not-found", ""},
		{"GET", "/v1/status/", "", 404, "not-found", ""},
		{"GET", "/v1//status", "", 404, "not-found", ""},
		{"GET", "/v1/status", "evil.example", 421, "unknown-host", ""},
		{"GET", "/v1/events", "evil.example", 421, "unknown-host", ""},
		{"GET", "/v1/nowhere", "evil.example", 421, "unknown-host", ""},
	} {
		t.Run(tc.method+" "+tc.path+" "+tc.host, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), tc.method, s.url(tc.path), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = tc.host
			response, err := s.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != tc.status || response.Header.Get("Allow") != tc.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", response.StatusCode, response.Header.Get("Allow"), tc.status, tc.allow)
			}
			if got := response.Header.Get("Content-Security-Policy"); got != "default-src 'none'; frame-ancestors 'none'" {
				t.Errorf("Content-Security-Policy is %q", got)
			}
			if tc.problem == "" {
				return
			}
			if got := problemOf(t, response); got != tc.problem {
				t.Errorf("problem is %q, want %q", got, tc.problem)
			}
		})
	}
}
