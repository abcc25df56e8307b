package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// tally counts rows.
type tally struct {
	states map[sweep.State]volume
	read   int64 // bytes
}

// volume is a number of objects and their size.
type volume struct{ objects, bytes int64 }

func (v *volume) add(r sweep.Row) {
	v.objects++
	if r.Size != nil {
		v.bytes += *r.Size
	}
}

func (t *tally) add(r sweep.Row) {
	if t.states == nil {
		t.states = make(map[sweep.State]volume)
	}
	v := t.states[r.State]
	v.add(r)
	t.states[r.State] = v
	t.read += r.Read
}

// present reports whether a row of this state is about an object that is in the bucket.
func present(s sweep.State) bool { return s != sweep.Orphan && s != sweep.Missing }

// objects is what is in the bucket.
func (t *tally) objects() (all volume) {
	for state, v := range t.states {
		if present(state) {
			all.objects += v.objects
			all.bytes += v.bytes
		}
	}
	return all
}

// order returns the states that occur, the worst first. Those that this version does not know come first.
func (t *tally) order() []sweep.State {
	var all []sweep.State
	for state := range t.states {
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b sweep.State) int {
		if by := slices.Index(worstFirst, a) - slices.Index(worstFirst, b); by != 0 {
			return by
		}
		return strings.Compare(string(a), string(b))
	})
	return all
}

func (t *tally) totals() sweep.Totals {
	all := sweep.Totals{Objects: make(map[sweep.State]int64), Bytes: t.objects().bytes, Read: t.read}
	for state, v := range t.states {
		all.Objects[state] = v.objects
	}
	return all
}

// weighing returns how many rows have each weight.
func (t *tally) weighing(p Pass) map[weight]int64 {
	all := make(map[weight]int64)
	for state, v := range t.states {
		all[p.weigh(state)] += v.objects
	}
	return all
}

// sentence says how a pass came out.
func (t *tally) sentence(p Pass, e End) string {
	var (
		by  = t.weighing(p)
		all = by[fine] + by[noted] + by[unchecked] + by[failed]
	)
	if e.Stopped != "" && all == 0 {
		return "Stopped early, without the result of an object."
	}
	if e.Stopped != "" {
		return fmt.Sprintf("Stopped early, after %s. %s", counted(all, "object"), t.faults(by, all, "None of them needs attention."))
	}
	if all == 0 {
		return "There was no object to look at."
	}
	return t.faults(by, all, t.praise(p, all))
}

func (t *tally) faults(by map[weight]int64, all int64, none string) string {
	var parts []string
	if n := by[failed]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s %s attention.", n, counted(all, "object"), verb(n, "needs", "need")))
	}
	if n := by[unchecked]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s could not be checked.", counted(n, "object")))
	}
	if len(parts) == 0 {
		return none
	}
	return strings.Join(parts, " ")
}

// praise is the sentence of a pass without faults.
func (t *tally) praise(p Pass, all int64) string {
	n := t.states[sweep.OK].objects + t.states[sweep.Recorded].objects
	switch {
	case n < all && n == 0:
		return "No object needs attention."
	case p.Command != sweep.Verify:
		return these(n, all) + " " + verb(n, "has its record.", "have their records.")
	case p.List != "":
		return these(n, all) + " " + verb(n, "is", "are") + " as listed."
	case p.Options.RecordsOnly:
		return these(n, all) + " " + verb(n, "has the version and the size of its record.", "have the versions and sizes of their records.")
	}
	return these(n, all) + " " + verb(n, "is", "are") + " as recorded."
}

// these names n of all objects.
func these(n, all int64) string {
	switch {
	case n < all:
		return fmt.Sprintf("%d of %d objects", n, all)
	case n == 1:
		return "The only object"
	}
	return fmt.Sprintf("All %d objects", n)
}

// counted returns a number with its noun.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func verb(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
