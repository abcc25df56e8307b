package passes_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"
	"golang.org/x/sync/errgroup"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// requests counts the requests to a store, and refuses some.
type requests struct {
	mu     sync.Mutex
	counts map[string]int
	bodies int                        // objects, not records, that were asked for
	refuse func(r *http.Request) bool // nil: none
}

// refuseNow says which requests are refused from now on.
func (c *requests) refuseNow(refuse func(r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = refuse
}

func (c *requests) handle(w http.ResponseWriter, r *http.Request, next http.Handler) {
	kind := strings.ToLower(r.Method)
	if r.URL.Query().Has("list-type") {
		kind = "list"
	}
	c.mu.Lock()
	c.counts[kind]++
	if kind == "get" && !strings.HasSuffix(r.URL.Path, ".md5") {
		c.bodies++
	}
	refused := c.refuse != nil && c.refuse(r)
	c.mu.Unlock()
	if refused {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		return
	}
	next.ServeHTTP(w, r)
}

// take returns the counts since the last call.
func (c *requests) take() (counts map[string]int, bodies int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts, bodies = c.counts, c.bodies
	c.counts, c.bodies = make(map[string]int), 0
	return counts, bodies
}

// s3 is a server with a bucket of objects.
type s3 struct {
	server  awsenv.Server
	url     string // of the bucket, through counted
	counted *requests
	keys    map[string]string // content by key
}

func newS3(t *testing.T, n int) *s3 {
	t.Helper()
	s := &s3{server: awsenv.StartVersitygw(t), counted: &requests{counts: make(map[string]int)}, keys: make(map[string]string)}
	s.server.Setenv(t)
	if err := os.Mkdir(filepath.Join(s.server.Dir, "photos"), 0o777); err != nil {
		t.Fatal(err)
	}
	s.url = s.server.Before(t, s.counted.handle).BucketURL("photos")
	bucket, err := blob.OpenBucket(t.Context(), s.server.BucketURL("photos"))
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	for i := range n {
		s.keys[fmt.Sprintf("%02d/%05d", i%20, i)] = content(i)
	}
	for _, name := range []string{"a b", "ö", "quote'\"", "100%", "a?b#c", "x+y/z"} {
		s.keys[name] = name
	}
	var all errgroup.Group
	all.SetLimit(8)
	for key, content := range s.keys {
		all.Go(func() error { return bucket.WriteAll(t.Context(), key, []byte(content), nil) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	return s
}

// check reports objects without their right record.
func (s *s3) check(t *testing.T) {
	t.Helper()
	wrong := 0
	for key, content := range s.keys {
		record, err := os.ReadFile(filepath.Join(s.server.Dir, "photos", filepath.FromSlash(key)+".md5"))
		sum := md5.Sum([]byte(content))
		if err != nil || !strings.HasPrefix(string(record), hex.EncodeToString(sum[:])+"  ") {
			if wrong++; wrong <= 3 {
				t.Errorf("the record of %q is %q, %v", key, record, err)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d objects have no right record", wrong, len(s.keys))
	}
}

// TestKilled: a backfill that is killed, and started again, gives each object its record. The next run asks for no
// object.
func TestKilled(t *testing.T) {
	s := newS3(t, *objects)
	p := program.Options{Throttled: true}.Start(t, program.Build(t), "backfill", "--format", "json", "--quiet", s.url)
	p.Until(*objects/4, program.Contains(`"recorded"`))
	p.Kill()
	for range p.Lines { // to the end
	}
	<-p.Ended
	s.counted.take()
	r := run(t, nil, "backfill", s.url)
	if _, bodies := s.counted.take(); r.status != 0 || !r.has(fmt.Sprintf("All %d objects have their records.", len(s.keys))) || bodies > len(s.keys)*3/4+100 {
		t.Errorf("backfill ends with %d after %d GETs of objects:\n%s", r.status, bodies, strings.Join(r.lines, "\n"))
	}
	s.check(t)
	r = run(t, nil, "backfill", s.url)
	if counts, bodies := s.counted.take(); r.status != 0 || bodies != 0 || counts["put"] != 0 || !r.has("had their record") {
		t.Errorf("the last backfill ends with %d after %d GETs of objects, %v:\n%s", r.status, bodies, counts, strings.Join(r.lines, "\n"))
	}
}

// TestDryRun: the estimate names the requests that the backfill then sends.
func TestDryRun(t *testing.T) {
	s := newS3(t, 60)
	r := run(t, nil, "backfill", "--dry-run", "--format", "json", s.url)
	var e struct {
		Requests map[string]int
		Costs    []struct{ What string }
		Total    float64 `json:"total_usd"`
	}
	if err := json.Unmarshal([]byte(r.lines[len(r.lines)-1]), &e); err != nil || r.status != 0 {
		t.Fatalf("%d, %v: %s", r.status, err, strings.Join(r.lines, "\n"))
	}
	if counts, bodies := s.counted.take(); bodies != 0 || counts["put"] != 0 || e.Total <= 0 {
		t.Errorf("the dry run: %d GETs of objects, %v; it costs %v", bodies, counts, e.Total)
	}
	if r := run(t, nil, "backfill", s.url); r.status != 0 {
		t.Fatal(r.lines)
	}
	counts, _ := s.counted.take()
	const opening = 5 // requests ask whether the bucket is there, and what its store can do
	for kind, want := range e.Requests {
		if n := counts[kind]; n < want || n > want+opening {
			t.Errorf("%s: %d requests, the estimate is %d", kind, n, want)
		}
	}
}

// TestRefused: without the permission to write, verify works, and backfill says which permission is missing.
func TestRefused(t *testing.T) {
	s := newS3(t, 20)
	if r := run(t, nil, "backfill", "--include", "0[0-9]", s.url); r.status != 0 {
		t.Fatal(r.lines)
	}
	s.counted.refuseNow(func(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodDelete })
	if r := run(t, nil, "verify", "--include", "0[0-9]", "--older-than", "0.0001ms", s.url); r.status != 0 {
		t.Errorf("verify ends with %d:\n%s", r.status, strings.Join(r.lines, "\n"))
	}
	if r := run(t, nil, "backfill", s.url); r.status != 1 || !r.has("AccessDenied") {
		t.Errorf("backfill ends with %d:\n%s", r.status, strings.Join(r.lines, "\n"))
	}
	s.counted.refuseNow(func(*http.Request) bool { return true })
	if r := run(t, nil, "verify", s.url); r.status != 2 {
		t.Errorf("verify of what may not be listed ends with %d:\n%s", r.status, strings.Join(r.lines, "\n"))
	}
}
