package storm

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
)

// Small, so that they matter.
const (
	checkpointAbove = 256 << 10
	checkpointEvery = 128 << 10
	slice           = "700ms"
)

// lane is one configuration with its buckets, queues and workers.
type lane struct {
	name       string
	algorithms []string
	flags      []string
	layout     blobstore.Layout
	tags       bool   // records are tags
	keeper     string // bucket of the records; empty: beside the objects
	folder     bool   // buckets are folders
	local      bool   // `bucketsum local`: no queue
	places     []*place
	workers    []*worker
	queue      *queue // nil for local

	mu      sync.Mutex
	objects []*object
	byName  map[string]*object // BUCKET/KEY
	letters []letter
}

// place is a bucket of objects.
type place struct {
	lane          *lane
	name          string
	store         store
	versioned     bool
	namesVersions bool // records name ETags that the users know before they write
}

// laneNames are all lanes.
var laneNames = []string{"sidecar", "tags", "keeper", "folder", "local"}

func checkpointFlags() []string {
	return []string{"--checkpoint-above", fmt.Sprint(checkpointAbove), "--checkpoint-every", fmt.Sprint(checkpointEvery), "--slice", slice}
}

// newLane makes a lane with its buckets and queues.
func newLane(t testing.TB, s *storm, name string) *lane {
	t.Helper()
	l := &lane{name: name, byName: make(map[string]*object), flags: checkpointFlags()}
	layout := blobstore.DefaultLayout
	switch name {
	case "sidecar":
		l.algorithms = []string{"md5", "sha256", "crc64nvme"}
	case "tags":
		l.algorithms, l.tags = []string{"md5", "sha1"}, true
		l.flags = append(l.flags, "--record-to", "tags")
	case "keeper":
		// blake3 cannot be resumed: no checkpoints here.
		l.algorithms, l.keeper = []string{"md5", "sha512", "blake3"}, "keeper-records"
		layout = "{dir}/.sums/{base}.{alg}"
		l.flags = append(l.flags, "--record-bucket", s.bucketURL(l.keeper))
	case "folder":
		l.algorithms, l.folder = []string{"md5", "sha256"}, true
	case "local":
		l.algorithms, l.folder, l.local = []string{"md5", "crc32c"}, true, true
		l.flags = l.flags[:4] // no slices: the queue is in memory
	default:
		t.Fatalf("unknown lane %q; valid are %v", name, laneNames)
	}
	var err error
	if l.layout, err = blobstore.ParseLayout(layout); err != nil {
		t.Fatal(err)
	}
	l.flags = append(l.flags, "--record", layout)
	if !l.local {
		l.queue = newQueue(t, s.sqs, name)
	}
	if l.folder {
		l.places = []*place{{lane: l, name: name, store: newFolderStore(t, l)}}
		return l
	}
	if l.keeper != "" {
		s.makeBucket(t, l.keeper, false)
	}
	for _, versioned := range []bool{false, true} {
		p := &place{lane: l, name: name + "-plain", versioned: versioned, namesVersions: true}
		if versioned {
			p.name = name + "-versions"
		}
		s.makeBucket(t, p.name, versioned)
		p.store = &s3Store{client: s.s3, bucket: p.name, lane: l}
		l.places = append(l.places, p)
	}
	return l
}

// object returns what is known of a key, and makes it if the key is new.
func (l *lane) object(p *place, key string, ph *phase) *object {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := p.name + "/" + key
	if o := l.byName[name]; o != nil {
		return o
	}
	o := &object{
		place: p, key: key, phase: ph,
		byETag: make(map[string]*content), sums: make(map[string]bool), ids: make(map[string]string), told: make(map[string]bool),
	}
	l.byName[name] = o
	l.objects = append(l.objects, o)
	return o
}

// find returns the object of a bucket and key; nil if there never was one.
func (l *lane) find(bucket, key string) *object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byName[bucket+"/"+key]
}

// all returns the objects so far.
func (l *lane) all() []*object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.objects[:len(l.objects):len(l.objects)]
}

// args returns the command line of a worker.
func (l *lane) args(s *storm) []string {
	algorithms := ""
	for i, alg := range l.algorithms {
		if i > 0 {
			algorithms += ","
		}
		algorithms += alg
	}
	args := []string{"--algorithms", algorithms, "--listen", "127.0.0.1:0", "--log-level", "info", "--log-format", "json", "--concurrency", "16", "--drain-timeout", "5s"}
	args = append(args, l.flags...)
	if l.local {
		return append(append([]string{"local"}, args...), "--settle", "200ms", l.places[0].store.(*folderStore).dir)
	}
	args = append([]string{"serve", "--queue", l.queue.url(""), "--dead-letter", l.queue.url("-failed"), "--results", l.queue.url("-results")}, args...)
	for _, p := range l.places {
		if f, ok := p.store.(*folderStore); ok {
			args = append(args, "--bucket", p.name+"=file://"+f.dir)
		} else {
			args = append(args, "--bucket", s.bucketURL(p.name))
		}
	}
	return args
}

// queueSeconds is the visibility timeout of the queues, in seconds: a lease is as short.
const queueSeconds = 6

// queue is the queue of a lane, with its dead letters and results.
type queue struct {
	server *sqstest.Server
	name   string
	client sqsClient

	mu      sync.Mutex
	counted time.Time // when long counted last
	isLong  bool
}

// backlog is how many messages a queue may have before users wait for its workers.
const backlog = 600

// long reports whether the queue is longer than backlog.
func (q *queue) long(ctx context.Context) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.counted) > 200*time.Millisecond {
		n, err := q.waiting(ctx)
		q.counted, q.isLong = time.Now(), err == nil && n > backlog
	}
	return q.isLong
}

func (q *queue) url(suffix string) string {
	return "awssqs://sqs.us-east-1.amazonaws.com/123456789012/" + q.name + suffix + "?region=us-east-1"
}

// waiting returns how many messages the queue has, in flight and delayed ones included.
func (q *queue) waiting(ctx context.Context) (int, error) { return q.client.count(ctx, q.name) }
