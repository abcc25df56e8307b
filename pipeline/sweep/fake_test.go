package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a bucket in memory. It lists pages, as stores do, and fails when a test wants it to.
type store struct {
	mu   sync.Mutex
	keys []string // in order
	page int      // keys in a page; 0: 10
	// failAt is called before each page with the number of the request, from 1; an error ends the listing.
	failAt   func(request int) error
	requests int
	// delay is the time that a page takes.
	delay time.Duration
}

func newStore(n int) *store {
	s := &store{}
	for i := range n {
		s.keys = append(s.keys, fmt.Sprintf("k%06d", i))
	}
	return s
}

// Items implements sweep.Source.
func (s *store) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		for after := r.After; ; {
			keys, err := s.list(ctx, after)
			if err != nil {
				yield(sweep.Item{}, err)
				return
			}
			for _, key := range keys {
				if !r.Contains(key) || !yield(sweep.Item{At: key, Object: pipeline.Object{Key: key, Size: 1}}, nil) {
					return
				}
				after = key
			}
			if len(keys) == 0 {
				return
			}
		}
	}
}

func (s *store) list(ctx context.Context, after string) ([]string, error) {
	if !backoff.Sleep(ctx, s.delay) {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.failAt != nil {
		if err := s.failAt(s.requests); err != nil {
			return nil, err
		}
	}
	from, found := slices.BinarySearch(s.keys, after)
	if found {
		from++
	}
	page := s.page
	if page == 0 {
		page = 10
	}
	return slices.Clone(s.keys[from:min(from+page, len(s.keys))]), nil
}

// Split implements sweep.Source.
func (s *store) Split(_ context.Context, r sweep.Range) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in []string
	for _, key := range s.keys {
		if r.Contains(key) {
			in = append(in, key)
		}
	}
	if len(in) < 2 {
		return "", false, nil
	}
	return in[(len(in)-1)/2], true, nil
}

func (s *store) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return k == key })
}

func (s *store) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, key)
	slices.Sort(s.keys)
}

// ok finds every object right.
func ok(_ context.Context, i sweep.Item) (sweep.Row, error) {
	size := i.Object.Size
	return sweep.Row{Key: i.Object.Key, State: sweep.OK, Size: &size}, nil
}

var errStore = errors.New("503 slow down")

// collect returns a function that collects the keys of rows.
func collect(keys *[]string) func([]sweep.Row) error {
	return func(rows []sweep.Row) error {
		for _, r := range rows {
			*keys = append(*keys, r.Key)
		}
		return nil
	}
}
