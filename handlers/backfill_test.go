package handlers_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestBackfill shows what a backfill does with an object, by what it finds. Calls of the store are counted, because a
// pass over a bucket pays for each of them a million times.
func TestBackfill(t *testing.T) {
	for name, tc := range map[string]struct {
		do        func(s *store) sweep.Item
		pass      func(p *pass)
		state     sweep.State // empty: no row
		sum       string      // content of the row's checksum
		recorded  string      // content of the record afterwards; empty: none
		opened    int
		touched   int
		announced []pipeline.Outcome
	}{
		"without a record": {
			do:    func(s *store) sweep.Item { return listed(s.put("a", "one")) },
			state: sweep.Recorded, sum: "one", recorded: "one", opened: 1, touched: 4, announced: []pipeline.Outcome{pipeline.Recorded},
		},
		"with its record": {
			do:    func(s *store) sweep.Item { return listed(s.putRecorded("a", "one")) },
			state: sweep.OK, sum: "one", recorded: "one", touched: 1,
		},
		"with its record, listed without an ETag": {
			do: func(s *store) sweep.Item {
				o := s.putRecorded("a", "one")
				o.ETag, o.Size = "", pipeline.UnknownSize
				return listed(o)
			},
			state: sweep.OK, sum: "one", recorded: "one", touched: 3, announced: []pipeline.Outcome{pipeline.Current},
		},
		"with the record of another version": {
			do:    func(s *store) sweep.Item { s.putRecorded("a", "one"); return listed(s.put("a", "two")) },
			state: sweep.Recorded, sum: "two", recorded: "two", opened: 1, touched: 4, announced: []pipeline.Outcome{pipeline.Recorded},
		},
		"changed under the same time and size as its record's": {
			do: func(s *store) sweep.Item {
				s.unversioned = true
				s.put("a", "one")
				s.record(s.touch("a", "monday-1", "one"), "one")
				return listed(s.touch("a", "monday-2", "two"))
			},
			pass:  folderLike,
			state: sweep.Mismatch, sum: "two", recorded: "one", opened: 2, touched: 6, announced: []pipeline.Outcome{pipeline.Mismatch},
		},
		"left alone, under another time of change": {
			do: func(s *store) sweep.Item {
				s.unversioned = true
				s.put("a", "one")
				s.record(s.touch("a", "monday-1", "one"), "one")
				return listed(s.touch("a", "monday-2", "one"))
			},
			pass:  folderLike,
			state: sweep.Recorded, sum: "one", recorded: "one", opened: 1, touched: 6, announced: []pipeline.Outcome{pipeline.Recorded},
		},
		"overwritten and recorded since it was listed": {
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.putRecorded("a", "two")
				return i
			},
			state: sweep.OK, sum: "two", recorded: "two", opened: 1, touched: 4, announced: []pipeline.Outcome{pipeline.Current},
		},
		"gone since it was listed": {
			do:      func(s *store) sweep.Item { i := listed(s.put("a", "one")); s.drop("a"); return i },
			touched: 4, opened: 1,
		},
		"gone since it was listed, with a record": {
			do:      func(s *store) sweep.Item { i := listed(s.put("a", "one")); s.record(s.drop("a"), "one"); return i },
			touched: 6, opened: 1, announced: []pipeline.Outcome{pipeline.Removed},
		},
		"archived, with its record": {
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				i.Archived = true
				return i
			},
			state: sweep.OK, sum: "one", recorded: "one", touched: 1,
		},
		"archived": {
			do:    func(s *store) sweep.Item { i := listed(s.put("a", "one")); i.Archived = true; return i },
			state: sweep.Archived, touched: 1,
		},
		"archived, which only the reading shows": {
			do: func(s *store) sweep.Item {
				s.openErr = pipeline.ErrArchived
				return listed(s.put("a", "one"))
			},
			state: sweep.Archived, opened: 2, touched: 5,
		},
		"a record": {do: func(*store) sweep.Item { return recordItem("a", "md5") }},
		"a record by another layout": {
			do: func(s *store) sweep.Item {
				s.openErr = pipeline.ErrOwnRecord
				return listed(s.put("a", "one"))
			},
			touched: 2, opened: 1,
		},
		"with a record that says that it contradicts its store": {
			do: func(s *store) sweep.Item {
				o := s.putRecorded("a", "one")
				s.claims = etagOf("two")
				s.records["a"] = withCheck(s.records["a"], digest.Mismatch)
				return listed(o)
			},
			pass:  func(p *pass) { p.plan.Options.RecordMismatches = true },
			state: sweep.Mismatch, sum: "one", recorded: "one", touched: 1,
		},
		"contradicting its store": {
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return listed(s.put("a", "one")) },
			state: sweep.Mismatch, sum: "one", opened: 2, touched: 6, announced: []pipeline.Outcome{pipeline.Mismatch},
		},
		"beside a checksum file that says something else": {
			do: func(s *store) sweep.Item {
				s.saveErr = pipeline.Permanent(&pipeline.ContradictionError{Check: pipeline.Check{Name: "a.md5", Algorithm: "md5",
					Verdict: digest.Verdict{Outcome: digest.Mismatch, Claimed: md5sum("two"), Computed: md5sum("one")}}})
				return listed(s.put("a", "one"))
			},
			state: sweep.Mismatch, sum: "one", opened: 1, touched: 4, announced: []pipeline.Outcome{pipeline.Mismatch},
		},
		"beside a file that is no record": {
			do: func(s *store) sweep.Item {
				s.saveErr = pipeline.Permanent(errors.New("bucketsum did not write it"))
				return listed(s.put("a", "one"))
			},
			state: sweep.NoRecord, sum: "one", opened: 1, touched: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := newStore(), &announced{}
			i := tc.do(s)
			p := passOf(s, a, sweep.Backfill, func(p *pass) {
				if tc.pass != nil {
					tc.pass(p)
				}
			})
			row := p.row(t, i)
			if row.State != tc.state || tc.sum != "" && row.Checksums["md5"] != md5sum(tc.sum) {
				t.Errorf("got %+v, want %q with the checksum of %q", row, tc.state, tc.sum)
			}
			want := ""
			if tc.recorded != "" {
				want = md5sum(tc.recorded)
			}
			if got := s.recorded("a"); got != want {
				t.Errorf("recorded is %s, want %q", got, tc.recorded)
			}
			if s.opened != tc.opened || s.touched != tc.touched {
				t.Errorf("the store was opened %d and asked %d times, want %d and %d", s.opened, s.touched, tc.opened, tc.touched)
			}
			if diff := cmp.Diff(tc.announced, a.outcomes()); diff != "" {
				t.Errorf("announced (-want +got):\n%s", diff)
			}
		})
	}
}

func etagOf(content string) []pipeline.Claim {
	return []pipeline.Claim{{Name: "etag", Claim: digest.Claim{Algorithm: "md5", Value: md5sum(content)}}}
}

func withCheck(r pipeline.Record, outcome digest.Outcome) pipeline.Record {
	r.Checks = []pipeline.Check{{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: outcome}}}
	return r
}

// TestBackfillRow shows what is in a row.
func TestBackfillRow(t *testing.T) {
	s := newStore()
	o := s.put("a", "one")
	i := listed(o)
	i.Class, i.Modified = "GLACIER_IR", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	row := passOf(s, nil, sweep.Backfill).row(t, i)
	computed := s.records["a"].ComputedAt.UTC()
	size := int64(3)
	want := sweep.Row{Bucket: bucketName, Key: "a", State: sweep.Recorded, Size: &size, VersionID: o.VersionID, ETag: o.ETag,
		Checksums: map[string]string{"md5": md5sum("one")}, RecordedAt: &computed, Class: "GLACIER_IR", Modified: &i.Modified, Read: 3}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// TestBackfillMeanwhile shows that the record is right whatever happens to the object during a backfill.
func TestBackfillMeanwhile(t *testing.T) {
	points := map[string]func(s *store, then func()){
		"before the record is looked at": func(s *store, then func()) { s.onLookup = then },
		"before it is opened":            func(s *store, then func()) { s.onOpen = then },
		"while it is read":               func(s *store, then func()) { s.onRead = once(then) },
		"before the record is written":   func(s *store, then func()) { s.onSave = then },
		"before the last look":           func(s *store, then func()) { s.onStat = then },
	}
	for name, at := range points {
		for what, tc := range map[string]struct {
			then     func(s *store)
			recorded string
			state    sweep.State
		}{
			"overwritten":              {func(s *store) { s.put("a", "two") }, "two", sweep.Recorded},
			"overwritten and recorded": {func(s *store) { s.putRecorded("a", "two") }, "two", ""},
			"deleted":                  {func(s *store) { s.drop("a") }, "", ""},
			"recorded by an event":     {func(s *store) { s.record(s.describe("a", s.objects["a"][0]), "one") }, "one", ""},
		} {
			for _, unversioned := range []bool{false, true} {
				t.Run(name+" "+what, func(t *testing.T) {
					s := newStore()
					s.unversioned = unversioned
					i := listed(s.put("a", "one"))
					at(s, func() { tc.then(s) })
					row := passOf(s, nil, sweep.Backfill).row(t, i)
					want := ""
					if tc.recorded != "" {
						want = md5sum(tc.recorded)
					}
					if got := s.recorded("a"); got != want {
						t.Errorf("recorded is %s, want that of %q; row %+v", got, tc.recorded, row)
					}
					if row.State != "" && row.Checksums["md5"] != want {
						t.Errorf("got %+v, want the checksum of %q", row, tc.recorded)
					}
					if tc.state != "" && row.State != tc.state {
						t.Errorf("got %+v, want %q", row, tc.state)
					}
				})
			}
		}
	}
}

// TestBackfillAnnouncesAgain shows that a record that was written during this pass is announced again, because the
// run that wrote it may have ended before it announced that; an older record is not.
func TestBackfillAnnouncesAgain(t *testing.T) {
	s, a := newStore(), &announced{fail: errors.New("topic is down")}
	i := listed(s.put("a", "one"))
	began := time.Now().Add(-time.Minute)
	p := passOf(s, a, sweep.Backfill, func(p *pass) { p.plan.Created = began })
	synctest.Test(t, func(t *testing.T) {
		p.plan.Created = time.Now().Add(-time.Minute)
		row, err := p.examine(t)(t.Context(), i)
		if err == nil || row.State != "" {
			t.Errorf("got %+v, %v, want an error that ends the shard", row, err)
		}
		a.fail = nil
		if row := p.row(t, i); row.State != sweep.OK || s.opened != 1 {
			t.Errorf("got %+v after %d readings, want ok after one", row, s.opened)
		}
		p.plan.Created = time.Now().Add(time.Minute)
		p.row(t, i)
	})
	if got := a.outcomes(); !slices.Equal(got, []pipeline.Outcome{pipeline.Current}) {
		t.Errorf("announced %v, want current once", got)
	}
	if id := a.results[0].Event.ID; id != p.plan.Pass {
		t.Errorf("the event's id is %q, want the name of the pass", id)
	}
}
