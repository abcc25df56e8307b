package handlers_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestOrphan shows when a record without its object has a row.
func TestOrphan(t *testing.T) {
	for name, tc := range map[string]struct {
		pass    []func(*pass)
		do      func(s *store)
		state   sweep.State
		touched int
	}{
		"orphaned":                  {do: func(s *store) { s.putRecorded("a", "one"); s.drop("a") }, state: sweep.Orphan, touched: 3},
		"orphaned, by records only": {pass: []func(*pass){recordsOnly}, do: func(s *store) { s.putRecorded("a", "one"); s.drop("a") }, state: sweep.Orphan, touched: 3},
		"orphaned, against a list":  {pass: []func(*pass){against}, do: func(s *store) { s.putRecorded("a", "one"); s.drop("a") }},
		"with its object":           {do: func(s *store) { s.putRecorded("a", "one") }, touched: 1},
		"not of bucketsum":          {do: func(s *store) {}, touched: 2},
		"the object comes back": {do: func(s *store) {
			s.putRecorded("a", "one")
			s.drop("a")
			s.onLookup = func() { s.putRecorded("a", "two") }
		}, touched: 3},
		"the record goes after its object": {do: func(s *store) { s.putRecorded("a", "one"); s.drop("a"); s.onLookup = func() { s.forget("a") } }, touched: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			tc.do(s)
			row := passOf(s, nil, sweep.Verify, tc.pass...).row(t, recordItem("a", "md5"))
			if row.State != tc.state || s.touched != tc.touched {
				t.Errorf("got %+v after %d calls of the store, want %q after %d", row, s.touched, tc.state, tc.touched)
			}
			if row.State != "" && (row.Key != "a" || row.At != "a.md5" || row.Checksums["md5"] != md5sum("one") || row.RecordedAt == nil) {
				t.Errorf("got %+v", row)
			}
		})
	}
}

// TestOrphanHasOneRow shows that the records of one object in several algorithms have one row together, also if they
// are examined again.
func TestOrphanHasOneRow(t *testing.T) {
	s := newStore()
	s.putRecorded("a", "one")
	s.drop("a")
	x := passOf(s, nil, sweep.Verify).examine(t)
	for range 2 {
		var rows int
		for _, alg := range []string{"md5", "sha256"} {
			row, err := x(t.Context(), recordItem("a", alg))
			if err != nil {
				t.Fatal(err)
			}
			if row.State == sweep.Orphan {
				rows++
			}
		}
		if rows != 1 {
			t.Errorf("%d rows, want 1", rows)
		}
	}
}

// TestListedObjectsNeedNoLook shows that the record of an object that was listed shortly before costs no request, and
// that only a bounded number of objects is remembered.
func TestListedObjectsNeedNoLook(t *testing.T) {
	s := newStore()
	x := passOf(s, nil, sweep.Verify, recordsOnly).examine(t)
	examine := func(i sweep.Item) {
		t.Helper()
		if row, err := x(t.Context(), i); err != nil || row.State == sweep.Orphan {
			t.Fatalf("%s: %+v, %v", i.At, row, err)
		}
	}
	const many = 5000
	for n := range many {
		examine(listed(s.putRecorded(fmt.Sprint(n), "one")))
	}
	s.touched = 0
	examine(recordItem(fmt.Sprint(many-1), "md5"))
	examine(recordItem(fmt.Sprint(many-4000), "md5"))
	if s.touched != 0 {
		t.Errorf("the store was asked %d times about objects that were just listed", s.touched)
	}
	examine(recordItem("0", "md5"))
	if s.touched != 1 {
		t.Errorf("the store was asked %d times about an object that was listed long ago, want once", s.touched)
	}
}
