package handlers_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func everyVersion(p *pass) { p.plan.Options.Versions = true }

// version is the item of a version, as a listing of versions has it.
func versionItem(o pipeline.Object, noncurrent bool) sweep.Item {
	o.Sequencer = ""
	return sweep.Item{At: o.Key + "\x00" + o.VersionID, Object: o, Noncurrent: noncurrent}
}

// TestVerifyVersion shows what a verification of every version finds.
func TestVerifyVersion(t *testing.T) {
	older := func(s *store, content string) sweep.Item {
		o := s.put("a", content)
		s.putRecorded("a", "current")
		return versionItem(o, true)
	}
	none := "read; its store states no checksum to compare with"
	for name, tc := range map[string]struct {
		do         func(s *store) sweep.Item
		state      sweep.State // empty: no row
		sum        string      // content of the row's checksum
		reason     string      // a part of it
		unverified bool
		current    bool
		announced  bool
	}{
		"older, as its store claims": {
			do:    func(s *store) sweep.Item { s.claims = etagOf("one"); return older(s, "one") },
			state: sweep.OK, sum: "one",
		},
		"older, contradicting its store": {
			do:    func(s *store) sweep.Item { s.claims = etagOf("two"); return older(s, "one") },
			state: sweep.Mismatch, sum: "one", reason: "etag says md5 " + md5sum("two"), unverified: true, announced: true,
		},
		"older, damaged on its way": {
			do:    func(s *store) sweep.Item { s.claims, s.damaged = etagOf("one"), 1; return older(s, "one") },
			state: sweep.OK, sum: "one",
		},
		"older, without a claim": {
			do:    func(s *store) sweep.Item { return older(s, "one") },
			state: sweep.OK, sum: "one", reason: none, unverified: true,
		},
		"older, with a claim that cannot be checked": {
			do: func(s *store) sweep.Item {
				s.claims = []pipeline.Claim{{Name: "etag", Claim: digest.Claim{Algorithm: "md5", Value: md5sum("x") + "-2"}}}
				return older(s, "one")
			},
			state: sweep.OK, sum: "one", reason: "could not be compared: etag: ", unverified: true,
		},
		"older, archived": {
			do:    func(s *store) sweep.Item { i := older(s, "one"); i.Archived = true; return i },
			state: sweep.Archived, unverified: true,
		},
		"older, archived, which only the reading shows": {
			do:    func(s *store) sweep.Item { s.openErr = pipeline.ErrArchived; return older(s, "one") },
			state: sweep.Archived, unverified: true,
		},
		"older, shorter than its store says": {
			do:    func(s *store) sweep.Item { s.short = 1; return older(s, "one") },
			state: sweep.Unreadable, unverified: true,
		},
		"older, gone by now": {
			do: func(s *store) sweep.Item {
				i := older(s, "one")
				i.Object.VersionID = "v99"
				return i
			},
		},
		"current": {
			do:    func(s *store) sweep.Item { return versionItem(s.putRecorded("a", "one"), false) },
			state: sweep.OK, sum: "one", current: true,
		},
		"current, with the record of an older version that has the same content": {
			do: func(s *store) sweep.Item {
				s.putRecorded("a", "one")
				return versionItem(s.put("a", "one"), false)
			},
			state: sweep.OK, sum: "one", current: true,
		},
		"current when it was listed": {
			do: func(s *store) sweep.Item {
				i := versionItem(s.putRecorded("a", "one"), false)
				s.putRecorded("a", "two")
				return i
			},
			state: sweep.OK, sum: "one", reason: none, unverified: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := newStore(), &announced{}
				i := tc.do(s)
				row := passOf(s, a, sweep.Verify, everyVersion).row(t, i)
				if row.State != tc.state || !strings.Contains(row.Reason, tc.reason) || tc.reason == "" && row.Reason != "" && tc.state == sweep.OK {
					t.Errorf("got %q: %q", row.State, row.Reason)
				}
				if tc.sum != "" && row.Checksums["md5"] != md5sum(tc.sum) {
					t.Errorf("the checksums are %v", row.Checksums)
				}
				if tc.state != "" && (row.VersionID != i.Object.VersionID || row.Noncurrent == tc.current || (row.VerifiedAt == nil) != tc.unverified) {
					t.Errorf("got %+v of %+v", row, i)
				}
				if got := slices.Equal(a.outcomes(), []pipeline.Outcome{pipeline.Mismatch}); got != tc.announced {
					t.Errorf("announced %v", a.outcomes())
				}
			})
		})
	}
}

// TestVersionsRefused: a pass about every version verifies by reading.
func TestVersionsRefused(t *testing.T) {
	for name, p := range map[string]*pass{
		"backfill":     passOf(newStore(), nil, sweep.Backfill, everyVersion),
		"manifest":     passOf(newStore(), nil, sweep.Manifest, everyVersion),
		"records only": passOf(newStore(), nil, sweep.Verify, everyVersion, recordsOnly),
		"against":      passOf(newStore(), nil, sweep.Verify, everyVersion, against),
	} {
		if _, err := handlers.Examine(p.config, p.plan); err == nil || !strings.Contains(err.Error(), "every version") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVersionSlices reads two versions of a key in turns: neither takes the checkpoint of the other.
func TestVersionSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLarge()
		items := []sweep.Item{versionItem(l.put("a", big(1000)), true), versionItem(l.put("a", big(1001)), true)}
		l.put("a", "current")
		l.onByte = func(context.Context, int64) { time.Sleep(time.Second) } // for seven bytes
		p := passOf(l.store, nil, sweep.Verify, everyVersion)
		p.config.Buckets = map[string]pipeline.Bucket{bucketName: {Source: l, Records: l.store, Checkpoints: checkpointsOf{l}}}
		p.config.Resume = handlers.Resume{Above: 100, Every: 1 << 20, Slice: 20 * time.Second}
		examine, done := p.examine(t), 0
		for turn := 0; done < 2 && turn < 100; turn++ {
			row, err := examine(t.Context(), items[turn%2])
			switch {
			case row.State == sweep.OK:
				done++
			case pipeline.Classify(err) != pipeline.ClassUnfinished:
				t.Fatalf("%+v, %v", row, err)
			}
		}
		if done != 2 || l.read != 2001 || len(l.left()) != 0 {
			t.Errorf("%d versions done, %d bytes read, checkpoints left: %q", done, l.read, l.left())
		}
	})
}
