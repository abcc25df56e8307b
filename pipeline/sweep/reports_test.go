package sweep_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// memory keeps reports in memory, as several processes see them.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	// before is called with each operation and the name; an error is the answer.
	before func(operation, name string) error
	// after is called when an operation is done; an error is the answer, as if that of the store was lost.
	after func(operation, name string) error
}

func newMemory() *memory { return &memory{objects: make(map[string][]byte)} }

var legalName = regexp.MustCompile(`^[a-z0-9_./-]+$`)

func (m *memory) do(ctx context.Context, operation, name string, f func() error) error {
	if !legalName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("%s: the name %q is illegal", operation, name)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.before != nil {
		if err := m.before(operation, name); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := f()
	m.mu.Unlock()
	if err == nil && m.after != nil {
		err = m.after(operation, name)
	}
	return err
}

func (m *memory) Put(ctx context.Context, name string, data []byte) error {
	return m.do(ctx, "put", name, func() error {
		if _, ok := m.objects[name]; ok {
			return fmt.Errorf("put %s: %w", name, pipeline.ErrChanged)
		}
		m.objects[name] = slices.Clone(data)
		return nil
	})
}

func (m *memory) Get(ctx context.Context, name string) (data []byte, err error) {
	err = m.do(ctx, "get", name, func() error {
		stored, ok := m.objects[name]
		if !ok {
			return fmt.Errorf("get %s: %w", name, pipeline.ErrNotFound)
		}
		data = slices.Clone(stored)
		return nil
	})
	return data, err
}

func (m *memory) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var names []string
		err := m.do(ctx, "names", prefix, func() error {
			for _, name := range slices.Sorted(maps.Keys(m.objects)) {
				if strings.HasPrefix(name, prefix) {
					names = append(names, name)
				}
			}
			return nil
		})
		if err != nil {
			yield("", err)
			return
		}
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// count returns how many objects have a name with a prefix.
func (m *memory) count(prefix string) int {
	n := 0
	for range m.Names(context.Background(), prefix) {
		n++
	}
	return n
}

// openStores opens stores by the names of buckets, with one examination for all.
func openStores(stores map[string]*store, examine sweep.Examine) sweep.Open {
	return func(_ context.Context, _ sweep.Plan, bucket string) (sweep.Bucket, error) {
		s, ok := stores[bucket]
		if !ok {
			return sweep.Bucket{}, fmt.Errorf("bucket %q %w", bucket, pipeline.ErrUnknownBucket)
		}
		return sweep.Bucket{Source: s, Examine: examine, Keys: true}, nil
	}
}
