package inventory_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestRanges: the items of ranges that follow each other are those of the whole, wherever they are cut.
func TestRanges(t *testing.T) {
	v := made(t)
	all, _ := items(t, v, sweep.Range{})
	if len(all) != 32 {
		t.Fatalf("got %d items, want 32", len(all))
	}
	cuts := []string{at(0, 0), at(0, 1), at(0, 9), at(0, 10), at(0, 999_999_999_999), at(1, 0), at(1, 1), at(2, 0), at(2, 20), at(2, 21), at(5, 3)}
	for _, cut := range cuts {
		left, _ := items(t, v, sweep.Range{Through: cut})
		right, _ := items(t, v, sweep.Range{After: cut})
		if diff := cmp.Diff(all, slices.Concat(left, right)); diff != "" {
			t.Errorf("cut at %s (-want +got):\n%s", cut, diff)
		}
		for _, i := range left {
			if i.At > cut {
				t.Errorf("%s is in the range through %s", i.At, cut)
			}
		}
	}
}

// TestSplit divides until nothing can be divided: then each part has one item.
func TestSplit(t *testing.T) {
	v := made(t)
	parts, done := []sweep.Range{{}}, []sweep.Range(nil)
	for len(parts) > 0 && len(done) < 100 {
		r := parts[0]
		parts = parts[1:]
		middle, ok, err := v.Split(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			done = append(done, r)
			continue
		}
		if !r.Contains(middle) || middle == r.Through {
			t.Fatalf("%q does not divide %+v", middle, r)
		}
		parts = append(parts, sweep.Range{After: r.After, Through: middle}, sweep.Range{After: middle, Through: r.Through})
	}
	for _, r := range done {
		if got, _ := items(t, v, r); len(got) != 1 {
			t.Errorf("%+v has %d items, want 1", r, len(got))
		}
	}
	if len(done) != 32 {
		t.Errorf("got %d parts, want 32", len(done))
	}
}
