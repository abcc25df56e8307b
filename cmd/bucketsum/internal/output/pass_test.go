package output_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func TestStatus(t *testing.T) {
	type options = output.Pass
	for _, tc := range []struct {
		name   string
		pass   output.Pass
		states []sweep.State // each alone
		want   int
	}{
		{"verify, right", options{Command: sweep.Verify}, []sweep.State{"", sweep.OK, sweep.New, sweep.Archived}, 0},
		{"verify, wrong", options{Command: sweep.Verify}, []sweep.State{sweep.Mismatch, sweep.Missing, sweep.NoRecord, sweep.Stale, sweep.Orphan, sweep.Moved}, 1},
		{"verify, unknown", options{Command: sweep.Verify}, []sweep.State{sweep.Unreadable, "from-the-future"}, 2},
		{"verify, strict", options{Command: sweep.Verify, Strict: true}, []sweep.State{sweep.New, sweep.Archived}, 1},
		{"verify, strict, right", options{Command: sweep.Verify, Strict: true}, []sweep.State{"", sweep.OK}, 0},
		{"verify, strict, unknown", options{Command: sweep.Verify, Strict: true}, []sweep.State{sweep.Unreadable}, 2},
		{"backfill, done", options{Command: sweep.Backfill}, []sweep.State{"", sweep.OK, sweep.Recorded, sweep.Archived, sweep.Orphan}, 0},
		{"backfill, failed", options{Command: sweep.Backfill}, []sweep.State{sweep.Mismatch, sweep.Unreadable, sweep.NoRecord, sweep.Stale}, 1},
		{"backfill, strict", options{Command: sweep.Backfill, Strict: true}, []sweep.State{sweep.Archived}, 1},
		{"manifest, whole", options{Command: sweep.Manifest}, []sweep.State{"", sweep.OK, sweep.Orphan, sweep.Archived}, 0},
		{"manifest, gaps", options{Command: sweep.Manifest}, []sweep.State{sweep.NoRecord, sweep.Stale, sweep.Unreadable, sweep.Mismatch}, 1},
		{"manifest, gaps allowed", options{Command: sweep.Manifest, AllowMissing: true}, []sweep.State{sweep.NoRecord, sweep.Stale}, 0},
		{"manifest, lookup failed", options{Command: sweep.Manifest, AllowMissing: true}, []sweep.State{sweep.Unreadable}, 1},
	} {
		for _, state := range tc.states {
			t.Run(fmt.Sprintf("%s/%s", tc.name, state), func(t *testing.T) {
				totals := sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 9, sweep.Mismatch: 0}}
				if state != "" {
					totals.Objects[state]++
				}
				if got := tc.pass.Status(totals, true); got != tc.want {
					t.Errorf("%d, want %d", got, tc.want)
				}
			})
		}
	}
}

// TestStatusOfSeveral expects that what is wrong counts more than what is not known, and that a pass that
// was stopped never ends with 0.
func TestStatusOfSeveral(t *testing.T) {
	none := sweep.Totals{}
	both := sweep.Totals{Objects: map[sweep.State]int64{sweep.Unreadable: 5, sweep.Mismatch: 1, sweep.OK: 3}}
	for _, tc := range []struct {
		command  sweep.Command
		totals   sweep.Totals
		complete bool
		want     int
	}{
		{sweep.Verify, both, true, 1},
		{sweep.Verify, both, false, 1},
		{sweep.Verify, none, false, 2},
		{sweep.Backfill, none, false, 1},
		{sweep.Manifest, none, false, 1},
	} {
		if got := (output.Pass{Command: tc.command}).Status(tc.totals, tc.complete); got != tc.want {
			t.Errorf("%s of %v, complete %v: %d, want %d", tc.command, tc.totals, tc.complete, got, tc.want)
		}
	}
}
