package storm

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
)

// through is a proxy before a store that counts requests and answers with a body.
type through struct {
	*proxy
	client *http.Client
	asked  atomic.Int64
}

func newThrough(t *testing.T) *through {
	t.Helper()
	p := &through{}
	body := bytes.Repeat([]byte("x"), 100_000)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // the proxy may hang up
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(store.Close)
	log := newRequests(func(format string, args ...any) { t.Errorf(format, args...) })
	log.allow(&lane{name: "lane", places: []*place{{lane: &lane{name: "lane"}, name: "bucket"}}})
	p.proxy = startProxy(t, newDice(1, 1), store.URL, sqstest.NewServer(), log)
	pem, err := os.ReadFile(p.bundle)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport}
	return p
}

// ask sends a request and returns the status, 0 if there is none, and whether the body is whole.
func (p *through) ask(t *testing.T, method, target string, header ...string) (status int, whole bool) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+target, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "app/lane")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return 0, false
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, err == nil && len(body) == 100_000
}

// TestProxyInjects expects of each kind of fault that the client sees it, and that the store
// was asked, or not.
func TestProxyInjects(t *testing.T) {
	const key = "/bucket/k.md5"
	for name, tc := range map[string]struct {
		method string
		header []string
		status int
		whole  bool
		asked  int64
	}{
		"reset":    {"PUT", nil, 0, false, 0},
		"lost":     {"PUT", nil, 0, false, 1},
		"late-500": {"PUT", nil, 500, false, 1},
		"500":      {"PUT", nil, 500, false, 0},
		"503":      {"GET", nil, 503, false, 0},
		"429":      {"GET", nil, 429, false, 0},
		"short":    {"GET", nil, 200, false, 1},
		"cut":      {"GET", nil, 200, false, 1},
		"slow":     {"GET", nil, 200, true, 1},
		"tls":      {"GET", nil, 0, false, 0},
		"none":     {"GET", nil, 200, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newThrough(t)
			p.faults.Store(&faults{[]string{name}, 100}) // always
			status, whole := p.ask(t, tc.method, key, tc.header...)
			if status != tc.status || whole != tc.whole || p.asked.Load() != tc.asked {
				t.Errorf("status %d, whole %v, asked %d times; want %d, %v, %d", status, whole, p.asked.Load(), tc.status, tc.whole, tc.asked)
			}
		})
	}
}

// TestConflict expects that a conditional write gets 409 without being done, or 412 although
// it was done, and that other requests pass.
func TestConflict(t *testing.T) {
	p := newThrough(t)
	p.faults.Store(&faults{[]string{"conflict"}, 100})
	seen := make(map[int]int64) // how often the store was asked, by status
	for range 40 {
		before := p.asked.Load()
		status, _ := p.ask(t, "PUT", "/bucket/k.md5", "If-None-Match", "*")
		seen[status] += p.asked.Load() - before
	}
	if done, some := seen[412]; len(seen) != 2 || seen[409] != 0 || !some || done == 0 {
		t.Errorf("statuses and what was done: %v", seen)
	}
	if status, _ := p.ask(t, "PUT", "/bucket/k.md5"); status != 200 {
		t.Errorf("a write without a condition gets %d", status)
	}
}

// TestOutages expects that nothing is answered until an outage ends, and that the outage of
// one service leaves the other alone.
func TestOutages(t *testing.T) {
	p := newThrough(t)
	sqs := []string{"X-Amz-Target", "AmazonSQS.ListQueues"}
	p.log.lanes[""] = &lane{queue: &queue{}}  // the queue of a request that names none
	p.log.lanes["."] = &lane{queue: &queue{}} // as package path calls it
	later := time.Now().Add(time.Hour).UnixNano()
	p.storeOutage.Store(later)
	if status, _ := p.ask(t, "GET", "/bucket/k"); status != 0 {
		t.Errorf("the store answers %d", status)
	}
	if status, _ := p.ask(t, "POST", "/", sqs...); status != 200 {
		t.Errorf("SQS answers %d", status)
	}
	p.storeOutage.Store(0)
	p.sqsOutage.Store(later)
	if status, _ := p.ask(t, "GET", "/bucket/k"); status != 200 {
		t.Errorf("the store answers %d", status)
	}
	if status, _ := p.ask(t, "POST", "/", sqs...); status != 0 {
		t.Errorf("SQS answers %d", status)
	}
}

// TestOutside expects that a request for another bucket, and a write to an object, are found.
func TestOutside(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path string
		want         bool
	}{
		"read":         {"GET", "/bucket/k", false},
		"record":       {"PUT", "/bucket/k.md5", false},
		"checkpoint":   {"PUT", "/bucket/.bucketsum/checkpoints/x", false},
		"object":       {"PUT", "/bucket/k", true},
		"deletion":     {"DELETE", "/bucket/k", true},
		"tags":         {"PUT", "/bucket/k?tagging", true},
		"other bucket": {"GET", "/elsewhere/k", true},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			log := newRequests(func(string, ...any) { n++ })
			l := &lane{name: "lane"}
			l.places = []*place{{lane: l, name: "bucket"}}
			log.allow(l)
			r := httptest.NewRequest(tc.method, tc.path, nil)
			r.Header.Set("User-Agent", "app/lane")
			log.store(r)
			if (n > 0) != tc.want {
				t.Errorf("%d findings, want some: %v", n, tc.want)
			}
		})
	}
}

// TestParseFaults expects the sets that a flag names.
func TestParseFaults(t *testing.T) {
	for s, want := range map[string]int{"all": 1, "none": 1, "each": len(kinds), "pairs": len(kinds) * (len(kinds) - 1) / 2, "lost+kill": 1} {
		if sets, err := parseFaults(s); err != nil || len(sets) != want {
			t.Errorf("%q is %d sets, %v; want %d", s, len(sets), err, want)
		}
	}
	if _, err := parseFaults("lost+lots"); err == nil {
		t.Error("an unknown kind is no error")
	}
}
