package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// tally counts rows.
type tally struct {
	states     map[sweep.State]volume
	read       int64 // bytes
	uncompared int64 // older versions that are ok because they could be read
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
	if uncompared(r) {
		t.uncompared++
	}
}

// uncompared reports whether a version is ok because it could be read, and its store states nothing to compare with.
func uncompared(r sweep.Row) bool { return r.State == sweep.OK && r.Noncurrent && r.VerifiedAt == nil }

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
		return fmt.Sprintf("Stopped early, after %s. %s", counted(all, p.noun()), t.faults(p, by, all, "None of them needs attention."))
	}
	if all == 0 {
		return "There was no object to look at."
	}
	return t.faults(p, by, all, t.praise(p, all))
}

func (t *tally) faults(p Pass, by map[weight]int64, all int64, none string) string {
	var parts []string
	if n := by[failed]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s %s attention.", n, counted(all, p.noun()), verb(n, "needs", "need")))
	}
	if n := by[unchecked]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s could not be checked.", counted(n, p.noun())))
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
		return "No " + p.noun() + " needs attention."
	case p.Command != sweep.Verify:
		return these(n, all, p.noun()) + " " + verb(n, "has its record.", "have their records.")
	case p.List != "":
		return these(n, all, p.noun()) + " " + verb(n, "is", "are") + " as listed."
	case p.Options.RecordsOnly:
		return these(n, all, p.noun()) + " " + verb(n, "has the version and the size of its record.", "have the versions and sizes of their records.")
	case p.Options.Versions:
		praise := these(n, all, p.noun()) + " " + verb(n, "is", "are") + " as recorded or claimed"
		if t.uncompared > 0 {
			praise += fmt.Sprintf(", or could be read without a claim to compare with (%d)", t.uncompared)
		}
		return praise + "."
	}
	return these(n, all, p.noun()) + " " + verb(n, "is", "are") + " as recorded."
}

// these names n of all objects, or versions.
func these(n, all int64, noun string) string {
	switch {
	case n < all:
		return fmt.Sprintf("%d of %s", n, counted(all, noun))
	case n == 1:
		return "The only " + noun
	}
	return "All " + counted(n, noun)
}

// noun is what a row is about.
func (p Pass) noun() string {
	if p.Options.Versions {
		return "version"
	}
	return "object"
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
