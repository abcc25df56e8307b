package storm

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// requests is what workers ask the store and SQS for. Each request must stay inside of the
// buckets and queues of its worker's lane, and write nothing but records and checkpoints.
type requests struct {
	fault  func(format string, args ...any)
	counts *tally

	mu      sync.Mutex
	lanes   map[string]*lane  // by name
	buckets map[string]*place // buckets of objects; of records: a nil place
	keepers map[string]*lane
}

func newRequests(fault func(string, ...any)) *requests {
	return &requests{fault: fault, counts: newTally(), lanes: make(map[string]*lane), buckets: make(map[string]*place), keepers: make(map[string]*lane)}
}

// allow registers a lane.
func (q *requests) allow(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lanes[l.name] = l
	for _, p := range l.places {
		q.buckets[p.name] = p
	}
	if l.keeper != "" {
		q.keepers[l.keeper] = l
	}
}

// appOf returns the lane that the worker of a request says it is of.
func appOf(r *http.Request) string {
	for field := range strings.FieldsSeq(r.UserAgent()) {
		if name, ok := strings.CutPrefix(field, "app/"); ok {
			return name
		}
	}
	return ""
}

// store notes a request to the store. It returns the object whose tags it is about, else nil.
func (q *requests) store(r *http.Request) *object {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q.mu.Lock()
	p, l := q.buckets[bucket], q.keepers[bucket]
	q.mu.Unlock()
	if p != nil {
		l = p.lane
	}
	if l == nil || l.name != appOf(r) {
		q.fault("a worker of lane %q asked for %s %s, outside of its buckets", appOf(r), r.Method, r.URL)
		return nil
	}
	what := "object"
	switch {
	case key == "":
		what = "bucket"
	case strings.HasPrefix(key, driver.Checkpoints):
		what = "checkpoint"
	case p == nil && strings.HasPrefix(key, l.places[0].name+"/"), p == nil && strings.HasPrefix(key, l.places[1].name+"/"):
		what = "record"
	case l.tags:
	case l.keeper == "" && l.layout.IsRecord(key):
		what = "record"
	}
	if r.URL.Query().Has("tagging") {
		what = "tags"
	}
	q.counts.add(r.Method + " " + what)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !read && (what == "object" || what == "bucket" || what == "tags" && !l.tags) {
		q.fault("a worker of lane %q wrote to what is not its own: %s %s", l.name, r.Method, r.URL)
	}
	if what == "tags" {
		return l.find(bucket, key)
	}
	return nil
}

// sqs notes a request to SQS.
func (q *requests) sqs(action string, body []byte) {
	q.counts.add("SQS " + action)
	var in struct{ QueueUrl string }
	if json.Unmarshal(body, &in) != nil {
		q.fault("a worker sent %s with a body that is not JSON", action)
		return
	}
	name := path.Base(in.QueueUrl)
	name = strings.TrimSuffix(strings.TrimSuffix(name, "-failed"), "-results")
	q.mu.Lock()
	defer q.mu.Unlock()
	if l := q.lanes[name]; l == nil || l.queue == nil {
		q.fault("a worker asked for %s on queue %q", action, in.QueueUrl)
	}
}
