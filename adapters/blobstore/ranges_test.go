package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
)

// rangeServer is a store with one object. It counts requests.
type rangeServer struct {
	content []byte
	// spoil may change the answer to the n-th request, from one on. What it returns is sent;
	// the connection ends if that is short.
	spoil func(n int, w http.ResponseWriter, body []byte) []byte

	mu       sync.Mutex
	requests int
	ranges   int // with an end before that of the object
	asked    int // bytes
}

func (s *rangeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, to := 0, len(s.content)
	header := r.Header.Get("Range")
	if header != "" {
		first, last, _ := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
		from, _ = strconv.Atoi(first)
		if last != "" {
			to, _ = strconv.Atoi(last)
			to++
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(s.content)))
	}
	s.mu.Lock()
	s.requests++
	n := s.requests
	if header != "" && to < len(s.content) {
		s.ranges++
		s.asked += to - from
	}
	s.mu.Unlock()
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Length", fmt.Sprint(to-from))
	body := s.content[from:to]
	if s.spoil != nil {
		body = s.spoil(n, w, body)
	}
	if header != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(body)
	if len(body) < to-from {
		panic(http.ErrAbortHandler)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
}

// openRanges opens the object of a server at an offset, with a reader that asks for ranges as
// soon as it waits at all.
func openRanges(t *testing.T, ctx context.Context, s *rangeServer, memory *Memory, offset int64) pipeline.Reader {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	store, err := Drivers{s3.Driver(s3.Options{})}.Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	store.reading.patience = 0
	o := pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize}
	r, err := store.Open(ctx, o)
	if offset > 0 {
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		r, err = store.OpenAt(ctx, o, offset)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRanges(t *testing.T) {
	content := randomBytes(8*partBytes + 12345)
	cut := func(n int, _ http.ResponseWriter, body []byte) []byte {
		if n%2 == 0 {
			return body[:len(body)/2]
		}
		return body
	}
	for _, test := range []struct {
		name   string
		spoil  func(int, http.ResponseWriter, []byte) []byte
		memory int64
		offset int64
		ranges bool
	}{
		{"plain", nil, 0, 0, true},
		{"every other body breaks off", cut, 0, 0, true},
		{"memory for two parts", nil, 2*partBytes + 1, 0, true},
		{"memory for none", nil, partBytes - 1, 0, false},
		{"memory for none, every other body breaks off", cut, partBytes - 1, 0, false},
		{"from the middle", nil, 0, partBytes / 2, true},
		{"from the middle, every other body breaks off", cut, 0, 2*partBytes + 1, true},
		{"from where too little is left", cut, 0, 5 * partBytes, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := NewMemory(test.memory)
			before := memory.left.Load()
			s := &rangeServer{content: content, spoil: test.spoil}
			r := openRanges(t, t.Context(), s, memory, test.offset)
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close(), r.Close()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content[test.offset:]) {
				t.Error("the content is another")
			}
			if s.ranges > 0 != test.ranges {
				t.Errorf("%d ranges were asked for", s.ranges)
			}
			if test.spoil == nil && s.asked > len(content) {
				t.Errorf("ranges were asked for of %d bytes of %d", s.asked, len(content))
			}
			if left := memory.left.Load(); left != before {
				t.Errorf("%d bytes of memory were not given back", before-left)
			}
			if n := largeRequests.Load(); n != 0 {
				t.Errorf("%d requests count as under way", n)
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// A large object is read in ranges while any number of small ones are read.
func TestRangesBesideSmallObjects(t *testing.T) {
	small := &rangeServer{content: randomBytes(4096)}
	for range 2 * wide {
		r := openRanges(t, t.Context(), small, nil, 0)
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	large := &rangeServer{content: randomBytes(6 * partBytes)}
	r := openRanges(t, t.Context(), large, nil, 0)
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if large.ranges == 0 {
		t.Error("no ranges were asked for")
	}
}

// Large objects that fill the network are read in one request each. When the others are closed,
// the reading of the last one continues in ranges.
func TestRangesOnceTheNetworkIsFree(t *testing.T) {
	others := &rangeServer{content: randomBytes(rangesFrom)}
	var open []pipeline.Reader
	for range wide {
		open = append(open, openRanges(t, t.Context(), others, nil, 0))
	}
	s := &rangeServer{content: randomBytes(8 * partBytes)}
	r := openRanges(t, t.Context(), s, nil, 0)
	_, err := io.CopyN(io.Discard, r, 2*partBytes)
	if err != nil || s.ranges > 0 {
		t.Errorf("beside %d others: %d ranges, %v", wide, s.ranges, err)
	}
	for _, other := range open {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if s.ranges == 0 {
		t.Error("no ranges were asked for")
	}
	if n := largeRequests.Load(); n != 0 {
		t.Errorf("%d requests count as under way", n)
	}
}

// The first range of another version shows that an object was replaced while it was read.
func TestRangesOfReplacedObject(t *testing.T) {
	for _, test := range []struct {
		name   string
		offset int64
		before int // requests until it is replaced
	}{
		{"from its beginning", 0, 1},
		{"from the middle", 1<<20 + 1, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &rangeServer{content: randomBytes(6 * partBytes)}
			s.spoil = func(n int, w http.ResponseWriter, body []byte) []byte {
				if n > test.before {
					w.Header().Set("ETag", `"another"`)
				}
				return body
			}
			r := openRanges(t, t.Context(), s, nil, test.offset)
			if n, err := io.Copy(io.Discard, r); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("got %d bytes, %v", n, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A reader that is closed, or whose context ends, leaves nothing behind.
func TestRangesAreCancelled(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(r pipeline.Reader, cancel func()) error
	}{
		{"closed", func(r pipeline.Reader, _ func()) error { return r.Close() }},
		{"cancelled", func(r pipeline.Reader, cancel func()) error {
			cancel()
			if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("Read: %w", err)
			}
			return r.Close()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := NewMemory(0)
			before := memory.left.Load()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := &rangeServer{content: randomBytes(8 * partBytes)}
			r := openRanges(t, ctx, s, memory, 0)
			if _, err := io.CopyN(io.Discard, r, 4*partBytes); err != nil {
				t.Fatal(err)
			}
			if err := test.end(r, cancel); err != nil {
				t.Error(err)
			}
			if left := memory.left.Load(); left != before {
				t.Errorf("%d bytes of memory were not given back", before-left)
			}
			if n := largeRequests.Load(); n != 0 {
				t.Errorf("%d requests count as under way", n)
			}
		})
	}
}
