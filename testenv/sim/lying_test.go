package sim

import (
	"testing"
)

// quarantined are the faults of today's code: it believes what events say. Each has the first seed that shows it. The
// tests expect a violation there, or a few seeds later, since seeds draw other runs whenever the simulator changes.
type quarantined struct{ first, atMost int64 }

// lying are the lies of stores that break an invariant until the store decides instead of the event.
var lying = map[Lie]quarantined{
	ETagCut: {4, 50}, ETagUpperCase: {4, 50}, VersionOne: {4, 50}, KeyRaw: {3, 50}, KeyEncoded: {3, 50},
	SequencerRestarts: {1, 50}, SequencerForeign: {1, 50},
}

// strictly are the invariants that honest stores break until then.
var strictly = map[string]quarantined{ackedWhenProven: {1, 50}, newerStays: {600, 1500}}

// expect runs the seeds until one shows the fault, and fails if none does.
func (q quarantined) expect(t *testing.T, o Options, flags string) {
	t.Helper()
	for seed := q.first; seed < q.first+q.atMost; seed++ {
		if v := Run(t, seed, o).Violation; v != nil {
			t.Logf("as expected: seed=%d invariant=%s %s: %s", seed, v.Invariant, v.Key, v.Text)
			return
		}
	}
	t.Errorf("%d seeds from %d on hold now. If a long run holds, too (-args %s -schedules 10000), move this to what must hold; else name a seed that the run finds",
		q.atMost, q.first, flags)
}

// holding are the lies that do no harm.
var holding = []Lie{VersionNull, SizeWrong, ETagEscaped}

// TestLying runs the quarantined lies.
func TestLying(t *testing.T) {
	for _, lie := range Lies {
		if q, ok := lying[lie]; ok {
			t.Run(string(lie), func(t *testing.T) { q.expect(t, Options{Lie: lie}, "-lie "+string(lie)) })
		}
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

// TestStrict runs the quarantined invariants.
func TestStrict(t *testing.T) {
	for _, invariant := range []string{ackedWhenProven, newerStays} {
		t.Run(invariant, func(t *testing.T) {
			strictly[invariant].expect(t, Options{Strict: invariant}, "-strict "+invariant)
		})
	}
}
