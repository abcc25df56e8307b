package inventory_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// store is a bucket that has inventories.
type store struct {
	pipeline.Source
	mu      sync.Mutex
	objects map[string][]byte
	fails   int // of the next requests
	asked   []string
	open    int
}

var errBusy = errors.New("the store is busy")

func (s *store) Stat(_ context.Context, o pipeline.Object) (pipeline.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, o.Key)
	if s.fails > 0 {
		s.fails--
		return o, errBusy
	}
	data, ok := s.objects[o.Key]
	if !ok {
		return o, pipeline.ErrNotFound
	}
	o.Size, o.ETag = int64(len(data)), fmt.Sprintf("%x", md5.Sum(data))
	return o, nil
}

func (s *store) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	now, err := s.Stat(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.ETag != now.ETag {
		return nil, pipeline.ErrChanged
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &reader{bytes.NewReader(s.objects[o.Key][offset:]), s}, nil
}

type reader struct {
	io.Reader
	store *store
}

func (r *reader) Close() error {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.open--
	return nil
}

func (r *reader) Object() pipeline.Object                 { return pipeline.Object{} }
func (r *reader) Claims(context.Context) []pipeline.Claim { return nil }

// TestStored reads inventories from a bucket: from their own folder of it, by few requests, and closes what it opens.
func TestStored(t *testing.T) {
	rows := s3Rows(30_000)
	for i := range rows { // dissimilar keys, so that the file has several blocks
		rows[i].Key = fmt.Sprintf("%x%x", rand.Uint64(), rand.Uint64())
	}
	content := parquetFile(t, rows)
	s := &store{objects: map[string][]byte{
		"lists/photos/daily/2026/manifest.json": []byte(s3Manifest(t, "Parquet", map[string][]byte{"lists/photos/daily/data/1.parquet": content})),
		"lists/photos/daily/data/1.parquet":     content,
	}}
	v := open(t, inventory.Config{Name: "lists/photos/daily/2026/manifest.json", From: s})
	got, _ := items(t, v, sweep.Range{})
	want := 0
	for i, r := range rows {
		if i%7 == 3 || i%7 == 4 {
			continue
		}
		if want < len(got) && got[want].Object.Key != r.Key {
			t.Fatalf("item %d is %s, want %s", want, got[want].Object.Key, r.Key)
		}
		want++
	}
	if len(got) != want {
		t.Errorf("got %d items, want %d", len(got), want)
	}
	// 100 groups of rows have 900 chunks of columns.
	if len(content) < 2<<20 || len(s.asked) > 40 || s.open != 0 {
		t.Errorf("%d requests for %d bytes, %d are open; want at most 40 for more than 2 MiB, and none", len(s.asked), len(content), s.open)
	}
	after, _ := items(t, v, sweep.Range{After: got[want/2].At})
	if diff := cmp.Diff(got[want/2+1:], after); diff != "" {
		t.Errorf("the second half (-want +got):\n%s", diff)
	}
}

// TestStoredFaults: a store that fails can be asked again; a file that is replaced is not mixed with the old one.
func TestStoredFaults(t *testing.T) {
	s := &store{objects: map[string][]byte{"keys": []byte("a\nb\n")}, fails: 1}
	if _, err := inventory.Open(t.Context(), inventory.Config{Name: "keys", From: s, Bucket: bucket}); !errors.Is(err, errBusy) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v, want a transient error", err)
	}
	if _, err := inventory.Open(t.Context(), inventory.Config{Name: "none", From: s, Bucket: bucket}); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
	v := open(t, inventory.Config{Name: "keys", From: s})
	id := v.ID()
	s.objects["keys"] = []byte("a\nc\n")
	for i, err := range v.Items(t.Context(), sweep.Range{}) {
		if err == nil {
			t.Errorf("read %s of a list that was replaced", i.Object.Key)
		}
	}
	if other := open(t, inventory.Config{Name: "keys", From: s}).ID(); other == id {
		t.Errorf("the list that replaced it has the same ID %s", id)
	}
}

// TestCut: a list that is read in many ranges, one after the other, is opened once.
func TestCut(t *testing.T) {
	s := &store{objects: map[string][]byte{"1.csv.gz": table(0, 1000)}}
	s.objects["manifest.json"] = []byte(s3Manifest(t, "CSV", map[string][]byte{"1.csv.gz": s.objects["1.csv.gz"]}))
	v := open(t, inventory.Config{Name: "manifest.json", From: s})
	var got []sweep.Item
	for after, n := "", 10; n == 10; {
		ctx, cancel := context.WithCancel(t.Context())
		n = 0
		for i, err := range v.Items(ctx, sweep.Range{After: after}) {
			if err != nil {
				t.Fatal(err)
			}
			got, after = append(got, i), i.At
			if n++; n == 10 {
				break
			}
		}
		cancel()
	}
	want, _ := items(t, v, sweep.Range{})
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 1000 {
		t.Errorf("%d items (-want +got):\n%s", len(got), diff)
	}
	// A look at each of the two files, and their readings; the last range and the whole list were read anew.
	if len(s.asked) > 6 {
		t.Errorf("%d requests: %v", len(s.asked), s.asked)
	}
	if err := v.Close(); err != nil || s.open != 0 {
		t.Errorf("closed: %v; %d are open", err, s.open)
	}
}
