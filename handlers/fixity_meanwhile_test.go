package handlers_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestVerifyDamageOnTheWay shows that content which is right the second time is ok, and that content which differs
// from itself is unreadable, not a mismatch.
func TestVerifyDamageOnTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		damaged int
		state   sweep.State
		read    int64
	}{
		"once":   {1, sweep.OK, 6},
		"always": {100, sweep.Unreadable, 24},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := newStore(), &announced{}
				i := listed(s.putRecorded("a", "one"))
				s.damaged = tc.damaged
				row := passOf(s, a, sweep.Verify).row(t, i)
				if row.State != tc.state || row.Read != tc.read || len(a.results) > 0 {
					t.Errorf("got %+v, announced %v, want %s after %d bytes", row, a.outcomes(), tc.state, tc.read)
				}
			})
		})
	}
}

// TestVerifyMeanwhile shows that nothing which users and workers do during a verification is a mismatch, and that a
// rotten object is one all the same.
func TestVerifyMeanwhile(t *testing.T) {
	points := map[string]func(s *store, then func()){
		"before the record is looked at":        func(s *store, then func()) { s.onLookup = then },
		"before it is opened":                   func(s *store, then func()) { s.onOpen = then },
		"while it is read":                      func(s *store, then func()) { s.onRead = once(then) },
		"while it is read a second time":        func(s *store, then func()) { s.onOpen = func() { s.onOpen = then } },
		"before the last look":                  func(s *store, then func()) { s.onStat = then },
		"before the last look at the record":    func(s *store, then func()) { s.onLookup = func() { s.onLookup = then } },
		"between two listings, before it began": func(_ *store, then func()) { then() },
	}
	for name, at := range points {
		for what, tc := range map[string]struct {
			then   func(s *store)
			states []sweep.State // any of these
		}{
			"overwritten":              {func(s *store) { s.put("a", "two") }, []sweep.State{sweep.OK, sweep.Stale}},
			"overwritten and recorded": {func(s *store) { s.putRecorded("a", "two") }, []sweep.State{sweep.OK}},
			"deleted":                  {func(s *store) { s.drop("a") }, []sweep.State{"", sweep.OK}},
			"deleted with its record":  {func(s *store) { s.drop("a"); s.forget("a") }, []sweep.State{"", sweep.OK}},
			"recorded again":           {func(s *store) { s.record(s.describe("a", s.objects["a"][0]), "one") }, []sweep.State{sweep.OK}},
			"without its record":       {func(s *store) { s.forget("a") }, []sweep.State{sweep.OK, sweep.NoRecord}},
		} {
			for _, unversioned := range []bool{false, true} {
				for _, damaged := range []int{0, 1} {
					t.Run(name+" "+what, func(t *testing.T) {
						s, a := newStore(), &announced{}
						s.unversioned, s.damaged = unversioned, damaged
						i := listed(s.putRecorded("a", "one"))
						at(s, func() { tc.then(s) })
						row := passOf(s, a, sweep.Verify).row(t, i)
						if !slices.Contains(tc.states, row.State) || len(a.results) > 0 {
							t.Errorf("got %+v, announced %v, want one of %q", row, a.outcomes(), tc.states)
						}
					})
				}
			}
		}
		t.Run(name+" rotten", func(t *testing.T) {
			s := newStore()
			i := listed(s.putRecorded("a", "one"))
			s.rot("a", "0ne")
			at(s, func() { s.record(s.describe("a", s.objects["a"][0]), "one") })
			if row := passOf(s, nil, sweep.Verify).row(t, i); row.State != sweep.Mismatch {
				t.Errorf("got %+v, want a mismatch", row)
			}
		})
	}
}

// forget removes the record of a key.
func (s *store) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
}

// TestVerifyUploadUnderWay shows that an object whose event is being handled is not reported: a second look finds its
// record.
func TestVerifyUploadUnderWay(t *testing.T) {
	for name, change := range map[string]func(p *pass){"reading": func(*pass) {}, "by records only": recordsOnly} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			o := s.put("a", "one")
			s.onStat = func() { s.record(o, "one") } // after the record was looked up, and before it is looked up again
			if row := passOf(s, nil, sweep.Verify, change).row(t, listed(o)); row.State != sweep.OK {
				t.Errorf("got %+v, want ok", row)
			}
		})
	}
}
