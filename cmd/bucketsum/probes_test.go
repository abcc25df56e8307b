package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// heldStore is an empty S3 store that delays its answer about the object "held".
type heldStore struct {
	url   string
	asked chan struct{} // closed when a client requests the object
	leave chan struct{} // close it to let the store answer
	down  atomic.Bool   // it refuses all requests
}

func startHeldStore(t *testing.T) *heldStore {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s := &heldStore{asked: make(chan struct{}), leave: make(chan struct{})}
	var once atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := path.Base(r.URL.Path)
		switch {
		case s.down.Load():
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code></Error>`)
		case key == "objects":
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprint(w, `<ListBucketResult><Name>objects</Name></ListBucketResult>`)
		default:
			if key == "held" {
				if !once.Swap(true) {
					close(s.asked)
				}
				<-s.leave
			}
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// TestProbesWhileItDrains expects that a worker is ready until it drains, and that its
// probes answer until it has drained.
func TestProbesWhileItDrains(t *testing.T) {
	store := startHeldStore(t)
	queue := "mem://events-" + rand.Text()
	events := openTopic(t, queue)
	s := serve(t, nil, "--queue", queue, "--listen", "127.0.0.1:0",
		"--bucket", "s3://objects?region=us-east-1&use_path_style=true&endpoint="+store.url)
	expect := func(path string, status int, parts ...string) {
		t.Helper()
		got, body := program.Get(t, "http://"+s.address+path)
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("GET %s: %q lacks %q", path, body, part)
			}
		}
		if got != status {
			t.Errorf("GET %s: %d %q, want %d", path, got, body, status)
		}
	}
	expect("/readyz", 200, `"status":"ready"`)
	expect("/livez", 200, `"status":"ok"`)
	send(t, events, objectEvent("Object Created", "objects", "held", "01"))
	<-store.asked
	s.cancel()
	s.until("msg=draining")
	expect("/readyz", 503, `"name":"draining"`, "takes no more messages")
	expect("/livez", 200, `"status":"ok"`)
	close(store.leave)
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// TestProbesWhileItWaits expects that a worker whose bucket may not be read yet is alive
// and not ready, says why, and works once an operator has permitted it.
func TestProbesWhileItWaits(t *testing.T) {
	store := startHeldStore(t)
	close(store.leave)
	store.down.Store(true)
	s := begin(t, nil, "--queue", "mem://events-"+rand.Text(), "--listen", "127.0.0.1:0",
		"--bucket", "s3://objects?region=us-east-1&use_path_style=true&endpoint="+store.url)
	s.until("level=WARN", "cannot start yet", `for="bucket objects"`, "access denied: this program needs s3:ListBucket")
	if status, body := program.Get(t, "http://"+s.address+"/livez"); status != http.StatusOK {
		t.Errorf("/livez: %d %q", status, body)
	}
	status, body := program.Get(t, "http://"+s.address+"/readyz")
	for _, part := range []string{`"name":"bucket objects"`, "access denied: this program needs s3:ListBucket"} {
		if status != http.StatusServiceUnavailable || !strings.Contains(body, part) {
			t.Errorf("/readyz: %d %q lacks %q", status, body, part)
		}
	}
	store.down.Store(false)
	s.until("msg=serving ")
	if status, body := program.Get(t, "http://"+s.address+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// TestStopWhileItWaits expects that a worker which is stopped while it waits ends with 0.
func TestStopWhileItWaits(t *testing.T) {
	s := begin(t, nil, "--queue", "jetstream://127.0.0.1:1/OBJECTS?consumer=c", "--bucket", "file://"+t.TempDir())
	s.until("cannot start yet", "for=--queue", "nothing answers at 127.0.0.1:1")
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// TestProbesNameWhatIsMissing expects the names of unreachable buckets.
func TestProbesNameWhatIsMissing(t *testing.T) {
	store := startHeldStore(t)
	close(store.leave)
	dir := filepath.Join(t.TempDir(), "inbox")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil, "--queue", "mem://events-"+rand.Text(), "--listen", "127.0.0.1:0", "--bucket", "file://"+dir,
		"--bucket", "s3://objects?region=us-east-1&use_path_style=true&endpoint="+store.url)
	store.down.Store(true)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	status, body := program.Get(t, "http://"+s.address+"/readyz")
	for _, part := range []string{`"name":"bucket inbox"`, "no such file", `"name":"bucket objects"`, "access denied: this program needs s3:ListBucket"} {
		if status != http.StatusServiceUnavailable || !strings.Contains(body, part) {
			t.Errorf("%d %q lacks %q", status, body, part)
		}
	}
}

// A store that does not answer any more is noticed, whatever it is made by.
func TestProbesNoticeThatTheStoreIsGone(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
	t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
	for name, test := range map[string]struct {
		empty  string // what the store says of a bucket with nothing in it
		bucket func(server string) string
	}{
		"s3": {`<ListBucketResult><Name>objects</Name></ListBucketResult>`, func(server string) string {
			return "s3://objects?region=us-east-1&use_path_style=true&endpoint=" + server
		}},
		"gs": {`{"kind":"storage#objects"}`, func(server string) string {
			return "gs://objects?anonymous=true&endpoint=" + server
		}},
		"azblob": {`<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>`, func(server string) string {
			return "azblob://objects?protocol=http&domain=" + strings.TrimPrefix(server, "http://")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", http.DetectContentType([]byte(test.empty)))
				fmt.Fprint(w, test.empty)
			}))
			defer store.Close()
			s := serve(t, nil, "--queue", "mem://events-"+rand.Text(), "--listen", "127.0.0.1:0", "--bucket", test.bucket(store.URL))
			store.Close() // it answered at the start, else the worker would have ended
			status, body := program.Get(t, "http://"+s.address+"/readyz")
			if status != http.StatusServiceUnavailable || !strings.Contains(body, `"name":"bucket objects"`) {
				t.Errorf("once it is gone: %d %q", status, body)
			}
			if status := s.stop(); status != exitOK {
				t.Errorf("exit status is %d", status)
			}
		})
	}
}
