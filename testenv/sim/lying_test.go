package sim

import "testing"

// TestLying runs stores whose events lie: the store decides, so that the invariants hold as with honest ones.
func TestLying(t *testing.T) {
	for _, lie := range Lies {
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
