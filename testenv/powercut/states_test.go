package powercut

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStates expects what a power cut may leave of one file, and nothing else.
func TestStates(t *testing.T) {
	const gone = "(gone)"
	create := Op{Kind: Create, Path: "t"}
	data := Op{Kind: Write, Path: "t", Data: "data"}
	rename := Op{Kind: Rename, Path: "t", To: "f"}
	syncContent, syncName := Op{Kind: Sync, Path: "t"}, Op{Kind: Sync, Path: "."}
	torn := []string{"", "da", "da\x00\x00", "\x00\x00\x00\x00", "\x00\x00ta"}
	for _, c := range []struct {
		name string
		was  string // content of f
		ops  []Op
		end  []string // what f may be after all operations
	}{
		{"nothing synced", gone, []Op{create, data, rename}, append(torn, "data", gone)},
		{"content synced", gone, []Op{create, data, syncContent, rename}, []string{"data", gone}},
		{"name synced", gone, []Op{create, data, rename, syncName}, append(torn, "data")},
		{"all synced", gone, []Op{create, data, syncContent, rename, syncName}, []string{"data"}},
		{"replaced", "old", []Op{create, data, syncContent, rename}, []string{"data", "old"}},
		{"replaced and synced", "old", []Op{create, data, syncContent, rename, syncName}, []string{"data"}},
		{"removed", "old", []Op{{Kind: Remove, Path: "f"}}, []string{"old", gone}},
		{"removed and synced", "old", []Op{{Kind: Remove, Path: "f"}, syncName}, []string{gone}},
		{"linked", gone, []Op{create, data, syncContent, {Kind: Link, Path: "t", To: "f"}, {Kind: Remove, Path: "t"}}, []string{"data", gone}},
		{"written in place", "old!", []Op{{Kind: Write, Path: "f", Data: "data"}},
			[]string{"", "da", "da\x00\x00", "\x00\x00\x00\x00", "\x00\x00ta", "data", "old!", "olta", "dad!"}},
		{"all of it synced", gone, []Op{create, data, rename, {Kind: SyncAll}}, []string{"data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := Log{Before: Tree{}, Ops: slices.Clone(c.ops)}
			if c.was != gone {
				l.Before["f"] = Entry{Data: c.was}
			}
			for i := range l.Ops {
				l.Ops[i].Line, l.Ops[i].Begin = i, i
			}
			l.Ops = append(l.Ops, Op{Kind: Print, Data: "end", Line: len(l.Ops)})
			states, err := l.States(Choose{})
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]bool)
			for _, s := range states {
				if s.Printed != "end" {
					continue // it is no longer possible
				}
				if e, ok := s.Tree["f"]; ok {
					got[e.Data] = true
				} else {
					got[gone] = true
				}
			}
			slices.Sort(c.end)
			if diff := cmp.Diff(slices.Compact(c.end), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("f after the power cut (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNewDirectory expects that a directory whose name was not synced is lost with everything in it.
func TestNewDirectory(t *testing.T) {
	ops := []Op{
		{Kind: Mkdir, Path: "d"}, {Kind: Create, Path: "d/f"}, {Kind: Sync, Path: "d/f"}, {Kind: Sync, Path: "d"},
		{Kind: Print, Data: "before"}, {Kind: Sync, Path: "."}, {Kind: Print, Data: "after"},
	}
	for i := range ops {
		ops[i].Line, ops[i].Begin = i, i
	}
	states, err := Log{Before: Tree{}, Ops: ops}.States(Choose{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range states {
		got[s.Tree.String()] = s.Printed
	}
	want := map[string]string{"": "before", "d/\n": "", "d/\nd/f \"\"\n": "beforeafter"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders, and what was printed when they were last possible (-want +got):\n%s", diff)
	}
}

// TestMost expects that a limit leaves out folders but never those in which all is lost or all is kept.
func TestMost(t *testing.T) {
	var ops []Op
	for i := range 12 {
		ops = append(ops, Op{Kind: Create, Path: string(rune('a' + i)), Line: i})
	}
	l := Log{Before: Tree{}, Ops: ops}
	all, err := l.States(Choose{})
	if err != nil {
		t.Fatal(err)
	}
	some, err := l.States(Choose{Most: 100, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1<<12 || len(some) >= len(all)/2 {
		t.Errorf("got %d folders, with a limit %d, want %d and fewer than half of them", len(all), len(some), 1<<12)
	}
	sizes := make(map[int]bool)
	for _, s := range some {
		sizes[len(s.Tree)] = true
	}
	if !sizes[0] || !sizes[12] {
		t.Errorf("the folders have these numbers of files: %v, want 0 and 12 among them", slices.Sorted(maps.Keys(sizes)))
	}
}
