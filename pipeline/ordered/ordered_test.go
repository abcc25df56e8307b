package ordered

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

func upTo(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// TestOrdered expects the results in order, in whatever order the work ends, and no more
// concurrent work than width.
func TestOrdered(t *testing.T) {
	var (
		told             []int
		working, highest atomic.Int64
		alone            atomic.Bool
	)
	o := Work[int]{
		Width: 7,
		Alone: func(i int) bool { return i%100 == 99 },
		Do: func(i int) int {
			n := working.Add(1)
			defer working.Add(-1)
			for {
				h := highest.Load()
				if n <= h || highest.CompareAndSwap(h, n) {
					break
				}
			}
			if i%100 == 99 {
				alone.Store(true)
				defer alone.Store(false)
				if len(told) != i {
					t.Errorf("item %d began when %d results were delivered", i, len(told))
				}
			} else if alone.Load() {
				t.Errorf("%d was begun beside work that is to be alone", i)
			}
			return i
		},
		Tell: func(turn []int) error {
			told = append(told, turn...)
			return nil
		},
	}
	const n = 10_000
	if err := o.Run(t.Context(), upTo(n)); err != nil {
		t.Fatal(err)
	}
	if len(told) != n || !slices.IsSorted(told) {
		t.Errorf("%d results, in order: %v", len(told), slices.IsSorted(told))
	}
	if h := highest.Load(); h > 7 {
		t.Errorf("%d were in work at once", h)
	}
}

// TestOrderedWaitsForTheFirst expects that one slow item does not hold up later ones,
// until so many results wait for it as may.
func TestOrderedWaitsForTheFirst(t *testing.T) {
	for _, window := range []int{0, 10} {
		testWaitsForTheFirst(t, window, cmp.Or(window, Window))
	}
}

func testWaitsForTheFirst(t *testing.T, configured, window int) {
	t.Helper()
	var (
		last  = make(chan struct{}) // the last that may begin has begun
		ended atomic.Bool           // the first has ended
		told  int
	)
	o := Work[int]{
		Width: 3, Window: configured,
		Alone: func(int) bool { return false },
		Do: func(i int) int {
			switch {
			case i == 0:
				<-last
				ended.Store(true)
			case i == window:
				close(last)
			case i > window && !ended.Load():
				t.Errorf("%d was begun while the first was in work", i)
			}
			return i
		},
		Tell: func(turn []int) error {
			told += len(turn)
			return nil
		},
	}
	if err := o.Run(t.Context(), upTo(2*window)); err != nil || told != 2*window {
		t.Errorf("%d results were delivered, %v", told, err)
	}
}

// TestOrderedEnds expects that an error of tell, or the end of ctx, stops all work.
func TestOrderedEnds(t *testing.T) {
	full := errors.New("full")
	ctx, cancel := context.WithCancelCause(t.Context())
	told := 0
	for _, test := range []struct {
		name string
		tell func([]int) error
	}{
		{"error", func([]int) error { told++; return full }},
		{"cancelled", func([]int) error { told++; cancel(full); return nil }},
	} {
		told = 0
		o := Work[int]{
			Width: 5,
			Alone: func(i int) bool { return i == 0 },
			Do:    func(i int) int { return i },
			Tell:  test.tell,
		}
		if err := o.Run(ctx, upTo(1_000_000)); !errors.Is(err, full) || told != 1 {
			t.Errorf("%s: told %d times, %v", test.name, told, err)
		}
	}
}
