package sim

import (
	"testing"
)

// lying are the lies of stores that today's code believes, each with a seed in which that breaks an invariant. They are
// quarantined: the test expects the violation until the store decides instead of the event.
var lying = map[Lie]int64{
	ETagCut: 4, ETagUpperCase: 4, ETagEscaped: 4, VersionOne: 8, KeyRaw: 3, KeyEncoded: 3, SequencerRestarts: 6, SequencerForeign: 6,
}

// holding are the lies that do no harm.
var holding = []Lie{VersionNull, SizeWrong}

// TestLying runs the quarantined seeds.
func TestLying(t *testing.T) {
	for _, lie := range Lies {
		seed, quarantined := lying[lie]
		if !quarantined {
			continue
		}
		t.Run(string(lie), func(t *testing.T) {
			r := Run(t, seed, Options{Lie: lie})
			if r.Violation == nil {
				t.Errorf("seed %d holds now. If a long run holds, too (-args -lie %s -schedules 1000), move %s to holding; else name a seed that it finds", seed, lie, lie)
				return
			}
			t.Logf("as expected: seed=%d invariant=%s %s: %s", seed, r.Violation.Invariant, r.Violation.Key, r.Violation.Text)
		})
	}
}

// TestHoldingLies runs the lies that do no harm as honest stores are run.
func TestHoldingLies(t *testing.T) {
	for _, lie := range holding {
		t.Run(string(lie), func(t *testing.T) {
			for seed := range int64(defaultSchedules / 10) {
				if r := Run(t, seed+1, Options{Lie: lie}); r.Violation != nil {
					report(r, int(seed+1))
					t.FailNow()
				}
			}
		})
	}
}

// TestStrict runs the quarantined seed of the invariants that hold only once the store decides: it expects a violation.
func TestStrict(t *testing.T) {
	for invariant, seed := range map[string]int64{ackedWhenProven: 3, newerStays: 791} {
		t.Run(invariant, func(t *testing.T) {
			r := Run(t, seed, Options{Strict: invariant})
			if r.Violation == nil || r.Violation.Invariant != invariant {
				t.Errorf("seed %d: got %v, want a violation of %s. If a long run holds (-args -strict %s -schedules 10000), make the invariant a default one; else name a seed that it finds",
					seed, r.Violation, invariant, invariant)
			}
		})
	}
}
