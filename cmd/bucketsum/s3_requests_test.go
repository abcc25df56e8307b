package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/docpage"
)

// requests counts the requests to a store by method.
type requests struct {
	mu    sync.Mutex
	count map[string]int
}

func (r *requests) handle(w http.ResponseWriter, request *http.Request, next http.Handler) {
	kind := request.Method
	if request.URL.Query().Has("list-type") {
		kind = "LIST"
	}
	r.mu.Lock()
	r.count[kind]++
	r.mu.Unlock()
	next.ServeHTTP(w, request)
}

// take returns the counts since the last call.
func (r *requests) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := r.count
	r.count = make(map[string]int)
	return count
}

// TestRequests holds the worker to the requests to S3 that each event costs, as
// docs/performance.md says.
func TestRequests(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	if err := os.Mkdir(filepath.Join(server.Dir, "photos"), 0o777); err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.OpenBucket(t.Context(), server.BucketURL("photos"))
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	counted := &requests{count: make(map[string]int)}
	queue := "mem://requests-" + rand.Text()
	events := openTopic(t, queue)
	s := serve(t, nil, "--queue", queue, "--bucket", server.Before(t, counted.handle).BucketURL("photos"),
		"--checkpoint-above", "15MiB", "--checkpoint-every", "5MiB")
	sequencer := 0
	handled := func(detailType, key, outcome string) map[string]int {
		t.Helper()
		if outcome != "current" { // else it is the last event again
			sequencer++
		}
		event := objectEvent(detailType, "photos", key, fmt.Sprintf("%02x", sequencer))
		if detailType == "Object Created" {
			attributes, err := bucket.Attributes(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			event = strings.Replace(event, `"key":`, fmt.Sprintf(`"etag":%q,"size":%d,"key":`, strings.Trim(attributes.ETag, `"`), attributes.Size), 1)
		}
		counted.take()
		send(t, events, event)
		s.until("object handled", "outcome="+outcome, "key="+key)
		return counted.take()
	}
	put := func(key string, size int) {
		t.Helper()
		content := make([]byte, size)
		copy(content, rand.Text())
		if err := bucket.WriteAll(t.Context(), key, content, nil); err != nil {
			t.Fatal(err)
		}
	}
	put("first", 1)
	handled("Object Created", "first", "recorded") // which finds out what the store can do

	put("small", 64<<10)
	documented := documentedRequests(t)
	for _, test := range []struct {
		name string // as docs/performance.md has it
		do   func() map[string]int
		want map[string]int
	}{
		{"a new object", func() map[string]int { return handled("Object Created", "small", "recorded") }, map[string]int{"GET": 1, "HEAD": 1, "PUT": 1}},
		{"the same event again", func() map[string]int { return handled("Object Created", "small", "current") }, map[string]int{"GET": 1, "HEAD": 1}},
		{"an object that was overwritten", func() map[string]int {
			put("small", 63<<10)
			return handled("Object Created", "small", "recorded")
		}, map[string]int{"GET": 9, "HEAD": 2, "PUT": 2}},
		{"a deleted object", func() map[string]int { // of every algorithm there might be a record
			if err := bucket.Delete(t.Context(), "small"); err != nil {
				t.Fatal(err)
			}
			return handled("Object Deleted", "small", "removed")
		}, map[string]int{"GET": 8, "HEAD": 4, "DELETE": 1}},
		{"a large object, with three checkpoints", func() map[string]int {
			put("large", 20<<20)
			return handled("Object Created", "large", "recorded")
		}, map[string]int{"GET": 4, "HEAD": 2, "PUT": 4, "DELETE": 1}},
	} {
		if diff := cmp.Diff(test.want, test.do()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.want, documented[test.name]); diff != "" {
			t.Errorf("%s (-want +docs/performance.md):\n%s", test.name, diff)
		}
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// documentedRequests returns the table of docs/performance.md: the number of requests of
// each method, by the name of the event.
func documentedRequests(t *testing.T) map[string]map[string]int {
	t.Helper()
	methods := []string{"GET", "HEAD", "PUT", "DELETE"}
	documented := make(map[string]map[string]int)
	for _, cells := range docpage.Rows(t, "performance.md", "| event | "+strings.Join(methods, " | ")+" |") {
		count := make(map[string]int)
		for i, method := range methods {
			if cells[i+1] == "" {
				continue
			}
			n, err := strconv.Atoi(cells[i+1])
			if err != nil {
				t.Fatal(err)
			}
			count[method] = n
		}
		documented[cells[0]] = count
	}
	return documented
}
