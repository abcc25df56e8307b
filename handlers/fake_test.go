package handlers_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bucketName = "inbox"

// store is a bucket in memory that keeps the contracts of the ports. The hooks change the bucket at the
// worst moment.
type store struct {
	unversioned bool             // knows ETags only
	anonymous   bool             // knows neither versions nor ETags
	short       int              // bytes that are missing from every read
	claims      []pipeline.Claim // of every object

	onRead               func(n int) // before the nth read of a reader, from 0
	onSave, onRemove     func()      // before the record is written, removed
	onLookup, onStat     func()      // before the record, the object is looked at
	onOpen               func()      // before the object is opened
	damaged              int         // readings whose content is damaged on its way
	openErr, statErr     error
	lookupErr, saveErr   error
	removeErr, removeToo error                  // before, after the removal
	refuses              func(key string) error // why a record is not written; nil: none is refused

	mu      sync.Mutex
	objects map[string][]version // oldest first
	records map[string]pipeline.Record
	files   map[string][]pipeline.UserFile // by the key of their object
	born    int
	opened  int // calls of Open
	touched int // calls of any method but IsRecord
}

type version struct {
	id, etag, content string
}

func newStore() *store {
	return &store{objects: make(map[string][]version), records: make(map[string]pipeline.Record)}
}

// put makes content the current version and returns the object that its event names.
func (s *store) put(key, content string) pipeline.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.born++
	v := version{fmt.Sprint("v", s.born), "etag-" + md5sum(content), content}
	if s.unversioned {
		s.objects[key] = nil
	}
	s.objects[key] = append(s.objects[key], v)
	o := s.describe(key, v)
	o.Sequencer = fmt.Sprintf("%04X", s.born)
	return o
}

// drop removes the current version, so that an older one becomes current, and returns the object that the
// event of the removal names.
func (s *store) drop(key string) pipeline.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.born++
	all := s.objects[key]
	if s.objects[key] = all[:len(all)-1]; len(all) == 1 {
		delete(s.objects, key)
	}
	o := s.describe(key, all[len(all)-1])
	o.ETag, o.Sequencer = "", fmt.Sprintf("%04X", s.born)
	return o
}

func (s *store) describe(key string, v version) pipeline.Object {
	o := pipeline.Object{Bucket: bucketName, Key: key, VersionID: v.id, ETag: v.etag, Size: int64(len(v.content))}
	if s.unversioned || s.anonymous {
		o.VersionID = ""
	}
	if s.anonymous {
		o.ETag = ""
	}
	return o
}

func (s *store) find(o pipeline.Object) (version, error) {
	all := s.objects[o.Key]
	if len(all) == 0 {
		return version{}, fmt.Errorf("%s: %w", o, pipeline.ErrNotFound)
	}
	if o.VersionID != "" && !s.unversioned {
		i := slices.IndexFunc(all, func(v version) bool { return v.id == o.VersionID })
		if i < 0 {
			return version{}, fmt.Errorf("%s: %w", o, pipeline.ErrNotFound)
		}
		return all[i], nil
	}
	v := all[len(all)-1]
	if o.ETag != "" && o.ETag != s.describe(o.Key, v).ETag {
		return version{}, fmt.Errorf("%s: %w", o, pipeline.ErrChanged)
	}
	return v, nil
}

func (s *store) Open(_ context.Context, o pipeline.Object) (pipeline.Reader, error) {
	call(&s.onOpen)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	s.opened++
	if s.openErr != nil {
		return nil, s.openErr
	}
	v, err := s.find(o)
	if err != nil {
		return nil, err
	}
	content := v.content[:len(v.content)-s.short]
	if s.damaged > 0 {
		s.damaged--
		content = fmt.Sprint("#", s.damaged, content)[:len(content)]
	}
	return &reader{Reader: strings.NewReader(content), object: s.describe(o.Key, v), claims: s.claims, onRead: s.onRead}, nil
}

func (s *store) OpenAt(context.Context, pipeline.Object, int64) (pipeline.Reader, error) {
	panic("nothing resumes in this store")
}

func (s *store) Stat(ctx context.Context, o pipeline.Object) (pipeline.Object, error) {
	call(&s.onStat)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	if s.statErr != nil {
		return o, s.statErr
	}
	v, err := s.find(pipeline.Object{Bucket: o.Bucket, Key: o.Key})
	if err != nil {
		return o, err
	}
	now := s.describe(o.Key, v)
	if s.unversioned {
		now.VersionID = o.VersionID // which it does not check
	}
	return now, ctx.Err()
}

// saw is what a Lookup saw: when its record was computed.
type saw struct {
	any bool
	at  time.Time
}

func (s *store) sees(key string) saw {
	r, ok := s.records[key]
	return saw{ok, r.ComputedAt}
}

func (s *store) Lookup(_ context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	call(&s.onLookup)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	if s.lookupErr != nil {
		return pipeline.Record{}, nil, s.lookupErr
	}
	r, ok := s.records[o.Key]
	if !ok {
		return pipeline.Record{UserFiles: s.files[o.Key]}, s.sees(o.Key), pipeline.ErrNotFound
	}
	r.UserFiles = s.files[o.Key]
	return r, s.sees(o.Key), nil
}

func (s *store) Save(_ context.Context, r pipeline.Record, seen pipeline.Seen) error {
	call(&s.onSave)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	if s.saveErr != nil {
		return s.saveErr
	}
	if s.refuses != nil && s.refuses(r.Source.Key) != nil {
		return s.refuses(r.Source.Key)
	}
	if seen == nil {
		seen = saw{}
	}
	if s.sees(r.Source.Key) != seen {
		return pipeline.ErrChanged
	}
	s.records[r.Source.Key] = r
	return nil
}

func (s *store) Remove(_ context.Context, o pipeline.Object, seen pipeline.Seen) (bool, error) {
	call(&s.onRemove)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	if s.removeErr != nil {
		return false, s.removeErr
	}
	_, ok := s.records[o.Key]
	if ok && s.sees(o.Key) != seen {
		return false, pipeline.ErrChanged
	}
	delete(s.records, o.Key)
	s.statErr = errors.Join(s.statErr, s.removeToo)
	return ok, nil
}

func (s *store) IsRecord(key string) bool { return strings.HasSuffix(key, ".md5") }

// call calls a hook once.
func call(hook *func()) {
	if h := *hook; h != nil {
		*hook = nil
		h()
	}
}

// recorded returns the recorded MD5 of a key, or an empty string.
func (s *store) recorded(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[key].Digests["md5"]
}

type reader struct {
	io.Reader
	object pipeline.Object
	claims []pipeline.Claim
	onRead func(n int)
	reads  int
	closed bool
}

func (r *reader) Object() pipeline.Object { return r.object }

func (r *reader) Claims(context.Context) []pipeline.Claim { return r.claims }

func (r *reader) Read(p []byte) (int, error) {
	if r.onRead != nil {
		r.onRead(r.reads)
	}
	r.reads++
	return r.Reader.Read(p)
}

func (r *reader) Close() error {
	r.closed = true
	return errors.New("closing does not matter")
}

// announced collects results.
type announced struct {
	fail    error // returned instead of taking a result
	results []pipeline.Result
}

func (a *announced) publish(_ context.Context, r pipeline.Result) error {
	if a.fail != nil {
		return a.fail
	}
	a.results = append(a.results, r)
	return nil
}

// outcomes returns the announced outcomes in their order.
func (a *announced) outcomes() []pipeline.Outcome {
	var all []pipeline.Outcome
	for _, r := range a.results {
		all = append(all, r.Outcome)
	}
	return all
}

// handlerOf returns the handler of a store for MD5, with a changed configuration.
func handlerOf(t testing.TB, s *store, a *announced, change ...func(*handlers.Config)) pipeline.Handler {
	t.Helper()
	c := handlers.Config{
		Buckets:    map[string]pipeline.Bucket{bucketName: {Source: s, Records: s}},
		Algorithms: []string{"md5"},
		Publish:    a.publish,
	}
	for _, f := range change {
		f(&c)
	}
	handle, err := handlers.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

func created(o pipeline.Object) pipeline.Event {
	return pipeline.Event{Kind: pipeline.Created, Object: o, ID: "created-" + o.Sequencer}
}

// again returns the event as it is delivered again.
func again(e pipeline.Event) pipeline.Event {
	e.Repeated = true
	return e
}

func deleted(o pipeline.Object) pipeline.Event {
	return pipeline.Event{Kind: pipeline.Deleted, Object: o, ID: "deleted-" + o.Sequencer}
}

func md5sum(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}
