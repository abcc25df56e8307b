package handlers_test

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func recordsOnly(p *pass) { p.plan.Options.RecordsOnly = true }

func against(p *pass) { p.plan.Options.Against = true }

// folderLike makes the store compare versions as a folder does: an ETag is a time and a time of change.
func folderLike(p *pass) {
	b := p.config.Buckets[bucketName]
	b.Unmodified = func(a, b pipeline.Object) bool {
		first, _, _ := strings.Cut(a.ETag, "-")
		second, _, _ := strings.Cut(b.ETag, "-")
		return first == second && a.Size == b.Size
	}
	p.config.Buckets[bucketName] = b
}

// touch gives the current version another ETag, and other content.
func (s *store) touch(key, etag, content string) pipeline.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.objects[key]
	v := &all[len(all)-1]
	v.etag, v.content = etag, content
	return s.describe(key, *v)
}

// verifyCase is one object, and what a verification finds about it.
type verifyCase struct {
	pass      []func(*pass)
	do        func(s *store) sweep.Item
	state     sweep.State // empty: no row
	sum       string      // content of the row's checksum
	expected  string      // content of the record, if that differs
	reason    string      // a part of it
	opened    int
	touched   int
	announced bool
}

func (tc verifyCase) run(t *testing.T) {
	s, a := newStore(), &announced{}
	i := tc.do(s)
	before := maps.Clone(s.records)
	row := passOf(s, a, sweep.Verify, tc.pass...).row(t, i)
	want := ""
	if tc.sum != "" {
		want = md5sum(tc.sum)
	}
	if row.State != tc.state || row.Checksums["md5"] != want || !strings.Contains(row.Reason, tc.reason) {
		t.Errorf("got %+v, want %q with the checksum of %q and a reason with %q", row, tc.state, tc.sum, tc.reason)
	}
	if want := md5sum(tc.expected); tc.expected != "" && row.Expected["md5"] != want || tc.expected == "" && row.Expected["md5"] != "" {
		t.Errorf("expected is %v, want that of %q", row.Expected, tc.expected)
	}
	if s.opened != tc.opened || s.touched != tc.touched {
		t.Errorf("the store was opened %d and asked %d times, want %d and %d", s.opened, s.touched, tc.opened, tc.touched)
	}
	if got := a.outcomes(); tc.announced != slices.Equal(got, []pipeline.Outcome{pipeline.Mismatch}) || !tc.announced && len(got) > 0 {
		t.Errorf("announced %v", got)
	}
	if diff := cmp.Diff(before, s.records); diff != "" {
		t.Errorf("the records changed (-before +after):\n%s", diff)
	}
}

// TestVerify shows what a verification finds, and how often it asks the store.
func TestVerify(t *testing.T) {
	for name, tc := range map[string]verifyCase{
		"right": {
			do:    func(s *store) sweep.Item { return listed(s.putRecorded("a", "one")) },
			state: sweep.OK, sum: "one", opened: 1, touched: 2,
		},
		"rotten": {
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.rot("a", "0ne")
				return i
			},
			state: sweep.Mismatch, sum: "0ne", expected: "one", reason: md5sum("one"), opened: 2, touched: 5, announced: true,
		},
		"without a record": {
			do:    func(s *store) sweep.Item { return listed(s.put("a", "one")) },
			state: sweep.NoRecord, sum: "one", opened: 1, touched: 4,
		},
		"without a record, contradicting its store": {
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return listed(s.put("a", "one")) },
			state: sweep.Mismatch, sum: "one", reason: "etag", opened: 2, touched: 5, announced: true,
		},
		"with its record, contradicting its store": {
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return listed(s.putRecorded("a", "one")) },
			state: sweep.Mismatch, sum: "one", reason: "etag", opened: 2, touched: 5, announced: true,
		},
		"contradicting its store, which is ignored": {
			pass:  []func(*pass){func(p *pass) { p.config.IgnoreClaims, p.plan.Options.IgnoreClaims = true, true }},
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return listed(s.putRecorded("a", "one")) },
			state: sweep.OK, sum: "one", opened: 1, touched: 2,
		},
		"with the record of another version": {
			do:    func(s *store) sweep.Item { s.putRecorded("a", "one"); return listed(s.put("a", "two")) },
			state: sweep.Stale, sum: "two", opened: 1, touched: 4,
		},
		"with a record that lacks an algorithm": {
			pass: []func(*pass){func(p *pass) { p.config.Algorithms = []string{"md5", "sha256"} }},
			do:   func(s *store) sweep.Item { return listed(s.putRecorded("a", "one")) },

			state: sweep.NoRecord, sum: "one", reason: "sha256", opened: 1, touched: 4,
		},
		"rotten, with a record that lacks an algorithm": {
			pass: []func(*pass){func(p *pass) { p.config.Algorithms = []string{"md5", "sha256"} }},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.rot("a", "0ne")
				return i
			},
			state: sweep.Mismatch, sum: "0ne", expected: "one", opened: 2, touched: 5, announced: true,
		},
		"of a folder, with another time of change": {
			pass: []func(*pass){folderLike},
			do: func(s *store) sweep.Item {
				s.put("a", "one")
				s.record(s.touch("a", "monday-1", "one"), "one")
				return listed(s.touch("a", "monday-2", "one"))
			},
			state: sweep.OK, sum: "one", opened: 1, touched: 2,
		},
		"of a folder, changed under the same time": {
			pass: []func(*pass){folderLike},
			do: func(s *store) sweep.Item {
				s.put("a", "one")
				s.record(s.touch("a", "monday-1", "one"), "one")
				return listed(s.touch("a", "monday-2", "0ne"))
			},
			state: sweep.Mismatch, sum: "0ne", expected: "one", opened: 2, touched: 5, announced: true,
		},
		"of a folder, changed under the same time to another size": {
			pass: []func(*pass){folderLike},
			do: func(s *store) sweep.Item {
				s.put("a", "one")
				s.record(s.touch("a", "monday-1", "one"), "one")
				return listed(s.touch("a", "monday-2", "on"))
			},
			state: sweep.Stale, sum: "on", opened: 1, touched: 4,
		},
		"archived": {
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				i.Archived = true
				return i
			},
			state: sweep.Archived,
		},
		"archived, which only the reading shows": {
			do:    func(s *store) sweep.Item { s.openErr = pipeline.ErrArchived; return listed(s.putRecorded("a", "one")) },
			state: sweep.Archived, touched: 2, opened: 1,
		},
		"unreadable": {
			do: func(s *store) sweep.Item {
				s.openErr = pipeline.Permanent(errors.New("input/output error"))
				return listed(s.putRecorded("a", "one"))
			},
			state: sweep.Unreadable, reason: "input/output error", touched: 2, opened: 1,
		},
		"a record by another layout": {
			do:      func(s *store) sweep.Item { s.openErr = pipeline.ErrOwnRecord; return listed(s.put("a", "one")) },
			touched: 2, opened: 1,
		},
		"gone since it was listed": {
			do:      func(s *store) sweep.Item { i := listed(s.put("a", "one")); s.drop("a"); return i },
			touched: 3, opened: 1,
		},
		"overwritten and recorded since it was listed": {
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.unversioned = true
				s.putRecorded("a", "two")
				return i
			},
			state: sweep.OK, sum: "two", touched: 5, opened: 2,
		},
		"listed without an ETag": {
			do: func(s *store) sweep.Item {
				o := s.putRecorded("a", "one")
				o.ETag, o.Size = "", pipeline.UnknownSize
				return listed(o)
			},
			state: sweep.OK, sum: "one", opened: 1, touched: 3,
		},
		"by records only, right": {
			pass:  []func(*pass){recordsOnly},
			do:    func(s *store) sweep.Item { return listed(s.putRecorded("a", "one")) },
			state: sweep.OK, sum: "one", touched: 1,
		},
		"by records only, archived": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				i.Archived = true
				return i
			},
			state: sweep.OK, sum: "one", touched: 1,
		},
		"by records only, without a record": {
			pass:  []func(*pass){recordsOnly},
			do:    func(s *store) sweep.Item { return listed(s.put("a", "one")) },
			state: sweep.NoRecord, touched: 3,
		},
		"by records only, with the record of another version": {
			pass:  []func(*pass){recordsOnly},
			do:    func(s *store) sweep.Item { s.putRecorded("a", "one"); return listed(s.put("a", "two")) },
			state: sweep.Stale, sum: "one", touched: 3,
		},
		"by records only, overwritten and recorded since it was listed": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.putRecorded("a", "two")
				return i
			},
			state: sweep.OK, sum: "two", touched: 4,
		},
		"by records only, of another size": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				s.putRecorded("a", "one")
				return listed(s.touch("a", s.objects["a"][0].etag, "on"))
			},
			state: sweep.Mismatch, sum: "one", reason: "3 bytes", touched: 3, announced: true,
		},
		"by records only, with a record that contradicts its store": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.records["a"] = withCheck(s.records["a"], digest.Mismatch)
				return i
			},
			state: sweep.Mismatch, sum: "one", reason: "etag", touched: 3, announced: true,
		},
		"by records only, with a claim in the listing that is not the record": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				i.Claims = etagOf("two")
				return i
			},
			state: sweep.Mismatch, sum: "one", reason: md5sum("two"), touched: 3, announced: true,
		},
		"by records only, with a claim in the listing that is the record": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				in64, _ := digest.Base64("md5", md5sum("one"))
				i.Claims = []pipeline.Claim{{Name: "content-md5", Claim: digest.Claim{Algorithm: "md5", Value: in64}}}
				return i
			},
			state: sweep.OK, sum: "one", touched: 1,
		},
		"against a list": {
			pass: []func(*pass){against},
			do: func(s *store) sweep.Item {
				s.record(s.put("a", "one"), "two")
				return listed(s.describe("a", s.objects["a"][0]))
			},
			state: sweep.OK, sum: "one", opened: 1, touched: 1,
		},
		"against a list, contradicting its store": {
			pass:  []func(*pass){against},
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return listed(s.put("a", "one")) },
			state: sweep.Mismatch, sum: "one", reason: "etag", opened: 2, touched: 3, announced: true,
		},
		"for a manifest": {
			pass:  []func(*pass){func(p *pass) { p.plan.Command = sweep.Manifest }},
			do:    func(s *store) sweep.Item { return listed(s.putRecorded("a", "one")) },
			state: sweep.OK, sum: "one", touched: 1,
		},
		"for a manifest, with a record that contradicts its store": {
			pass: []func(*pass){func(p *pass) { p.plan.Command = sweep.Manifest }},
			do: func(s *store) sweep.Item {
				i := listed(s.putRecorded("a", "one"))
				s.records["a"] = withCheck(s.records["a"], digest.Mismatch)
				return i
			},
			state: sweep.Mismatch, sum: "one", touched: 3,
		},
	} {
		t.Run(name, tc.run)
	}
}

// TestVerifyMismatchIsAnnounced shows what the result says, and that it ends the shard if no one takes it.
func TestVerifyMismatchIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newStore(), &announced{}
		i := listed(s.putRecorded("a", "one"))
		s.rot("a", "0ne")
		p := passOf(s, a, sweep.Verify)
		p.row(t, i)
		want := []pipeline.Check{{Name: "record", Algorithm: "md5",
			Verdict: digest.Verdict{Outcome: digest.Mismatch, Claimed: md5sum("one"), Computed: md5sum("0ne")}}}
		r := a.results[0]
		if diff := cmp.Diff(want, r.Record.Checks); diff != "" || r.Record.Digests["md5"] != md5sum("0ne") || r.Saved || r.Event.ID != p.plan.Pass {
			t.Errorf("announced %+v; checks (-want +got):\n%s", r, diff)
		}
		a.fail = errors.New("topic is down")
		if row, err := p.examine(t)(t.Context(), i); err == nil || row.State != "" {
			t.Errorf("got %+v, %v, want an error that ends the shard", row, err)
		}
	})
}

// TestVerifiedBefore shows that a pass leaves out what was found right lately, and that it saves when it found the
// content right.
func TestVerifiedBefore(t *testing.T) {
	now := time.Now()
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	for name, tc := range map[string]struct {
		computed, verified time.Time
		rotten             bool
		state              sweep.State
		renewed            bool
	}{
		"recorded lately":                {computed: ago(5)},
		"recorded long ago":              {computed: ago(100), state: sweep.OK, renewed: true},
		"recorded and verified long ago": {computed: ago(200), verified: ago(100), state: sweep.OK, renewed: true},
		"verified lately":                {computed: ago(200), verified: ago(5)},
		"rotten":                         {computed: ago(200), verified: ago(100), rotten: true, state: sweep.Mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			i := listed(s.putRecorded("a", "one"))
			r := s.records["a"]
			r.ComputedAt, r.VerifiedAt = tc.computed, tc.verified
			s.records["a"] = r
			if tc.rotten {
				s.rot("a", "0ne")
			}
			row := passOf(s, nil, sweep.Verify, func(p *pass) { p.plan.Options.VerifiedBefore = ago(90) }).row(t, i)
			if row.State != tc.state {
				t.Errorf("got %+v, want %q", row, tc.state)
			}
			renewed := s.records["a"]
			if got := renewed.VerifiedAt.After(now); got != tc.renewed {
				t.Errorf("verified at %s, want renewed: %v", renewed.VerifiedAt, tc.renewed)
			}
			if tc.renewed && !row.VerifiedAt.Equal(renewed.VerifiedAt) {
				t.Errorf("the row says %s, the record %s", row.VerifiedAt, renewed.VerifiedAt)
			}
			if renewed.VerifiedAt = tc.verified; !cmp.Equal(renewed, r) {
				t.Errorf("the record became %+v, was %+v", renewed, r)
			}
		})
	}
}

// TestRenewalFails shows that it costs a line of the log, once, if the time of verifications cannot be saved.
func TestRenewalFails(t *testing.T) {
	s, log := newStore(), &logged{}
	s.saveErr = errors.New("access denied")
	x := passOf(s, nil, sweep.Verify, func(p *pass) {
		p.plan.Options.VerifiedBefore = time.Now()
		p.config.Log = slog.New(slog.NewTextHandler(log, nil))
	}).examine(t)
	for _, key := range []string{"a", "b", "c"} {
		row, err := x(t.Context(), listed(s.putRecorded(key, "one")))
		if err != nil || row.State != sweep.OK {
			t.Errorf("%s: got %+v, %v, want ok", key, row, err)
		}
	}
	if n := log.count("access denied"); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
}
