package sweep_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func sums(t testing.TB, content string, algorithms ...string) map[string]string {
	t.Helper()
	if len(algorithms) == 0 {
		algorithms = []string{"md5"}
	}
	h, err := digest.New(algorithms...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	return h.Sums()
}

type line struct {
	name, content string
	algorithms    []string
	size          int64
}

// compare runs a list and rows of the given contents, by key, through a comparison.
func compare(t testing.TB, list []line, objects map[string]string, computed ...string) []sweep.Row {
	t.Helper()
	var c sweep.Comparison
	for _, l := range list {
		size := l.size
		if size == 0 {
			size = -1
		}
		if err := c.Add(l.name, size, sums(t, l.content, l.algorithms...)); err != nil {
			t.Fatal(err)
		}
	}
	var rows []sweep.Row
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		size := int64(len(objects[key]))
		r := sweep.Row{Bucket: "b", Key: key, State: sweep.OK, Size: &size, Checksums: sums(t, objects[key], computed...)}
		if r, ok := c.Compare(r); ok {
			rows = append(rows, r)
		}
	}
	return slices.AppendSeq(rows, c.Rest("b"))
}

// short is what matters of a row.
func short(r sweep.Row) string {
	s := fmt.Sprintf("%s %s", r.State, r.Key)
	if r.From != "" {
		s += " < " + r.From
	}
	for _, name := range slices.Sorted(maps.Keys(r.Expected)) {
		s += " " + name
	}
	if r.Reason != "" {
		s += ": " + r.Reason
	}
	return s
}

func TestComparison(t *testing.T) {
	two := []string{"md5", "sha256"}
	for name, tc := range map[string]struct {
		list     []line
		objects  map[string]string
		computed []string
		want     []string
	}{
		"all states": {
			list:    []line{{name: "same", content: "1"}, {name: "other", content: "2"}, {name: "gone", content: "3"}, {name: "old", content: "4"}},
			objects: map[string]string{"same": "1", "other": "x", "renamed": "4", "extra": "5"},
			want:    []string{"new extra", "mismatch other md5", "ok same", "missing gone md5", "moved renamed < old"},
		},
		"the new name comes first, or last": {
			list:    []line{{name: "m", content: "1"}, {name: "n", content: "2"}},
			objects: map[string]string{"a": "2", "z": "1"},
			want:    []string{"moved z < m", "moved a < n"},
		},
		"a copy of what is listed and there": {
			list:    []line{{name: "a", content: "1"}, {name: "z", content: "1"}},
			objects: map[string]string{"a": "1", "m": "1", "z": "1"},
			want:    []string{"ok a", "ok z", "new m"},
		},
		"each old name once": {
			list:    []line{{name: "old1", content: "1"}, {name: "old2", content: "1"}, {name: "old3", content: "1"}},
			objects: map[string]string{"a": "1", "b": "1"},
			want:    []string{"moved a < old1", "moved b < old2", "missing old3 md5"},
		},
		"more copies than old names": {
			list:    []line{{name: "old", content: "1"}},
			objects: map[string]string{"a": "1", "b": "1", "c": "1"},
			want:    []string{"new b", "new c", "moved a < old"},
		},
		"the old name has other content now": {
			list:    []line{{name: "a", content: "1"}},
			objects: map[string]string{"a": "2", "b": "1"},
			want:    []string{"mismatch a md5", "new b"},
		},
		"two names exchanged": {
			list:    []line{{name: "a", content: "1"}, {name: "b", content: "2"}},
			objects: map[string]string{"a": "2", "b": "1"},
			want:    []string{"mismatch a md5", "mismatch b md5"},
		},
		"several algorithms in one entry": {
			list:     []line{{name: "a", content: "1", algorithms: two}, {name: "b", content: "2", algorithms: two}, {name: "old", content: "3", algorithms: two}},
			objects:  map[string]string{"a": "1", "b": "x", "new": "3"},
			computed: two,
			want:     []string{"ok a", "mismatch b md5 sha256", "moved new < old"},
		},
		"several entries for a name": {
			list:    []line{{name: "a", content: "1"}, {name: "b", content: "2"}, {name: "a", content: "1", algorithms: []string{"sha256"}}, {name: "a", content: "1"}},
			objects: map[string]string{"a": "1", "b": "2"}, computed: two,
			want: []string{"ok a", "ok b"},
		},
		"entries that contradict each other": {
			list:    []line{{name: "a", content: "1"}, {name: "a", content: "2"}, {name: "b", content: "1"}, {name: "b", content: "2"}},
			objects: map[string]string{"a": "1", "b": "3"},
			want:    []string{"mismatch a md5", "mismatch b md5: the list has several values of md5 for this name"},
		},
		"only one of the algorithms contradicts": {
			list:     []line{{name: "a", content: "1"}, {name: "a", content: "2", algorithms: []string{"sha256"}}},
			objects:  map[string]string{"a": "1"},
			computed: two,
			want:     []string{"mismatch a sha256"},
		},
		"an algorithm that was not computed": {
			list:    []line{{name: "a", content: "1", algorithms: []string{"sha512"}}, {name: "b", content: "2", algorithms: []string{"md5", "sha512"}}},
			objects: map[string]string{"a": "1", "b": "2"},
			want:    []string{"unreadable a: none of the algorithms of its entry in the list was computed: sha512", "ok b"},
		},
		"a checksum that is equal by chance": {
			list:    []line{{name: "old", content: "1", algorithms: []string{"crc32c"}}},
			objects: map[string]string{"a": "1"}, computed: []string{"crc32c"},
			want: []string{"new a", "missing old crc32c"},
		},
		"another size": {
			list:    []line{{name: "a", content: "1", size: 2}, {name: "b", content: "2", size: 1}, {name: "old", content: "3", size: 3}},
			objects: map[string]string{"a": "1", "b": "2", "c": "3"},
			want:    []string{"mismatch a: the list says 2 bytes", "ok b", "missing old md5", "new c"},
		},
		"empty": {objects: map[string]string{"a": "1"}, want: []string{"new a"}},
		"names that are not UTF-8": {
			list:    []line{{name: "a\xff", content: "1"}, {name: "old\xfe", content: "2"}},
			objects: map[string]string{"a\xff": "1", "b\xfd": "2"},
			want:    []string{"ok a\xff", "moved b\xfd < old\xfe"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range compare(t, tc.list, tc.objects, tc.computed...) {
				got = append(got, short(r))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestComparisonKeepsRows expects that a row which had to wait is told as it came.
func TestComparisonKeepsRows(t *testing.T) {
	want := compare(t, nil, map[string]string{"a": "1"})[0]
	want.State, want.From = sweep.Moved, "old"
	got := compare(t, []line{{name: "old", content: "1"}}, map[string]string{"a": "1"})
	if diff := cmp.Diff([]sweep.Row{want}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestComparisonOfOtherRows expects that rows which are not ok keep their state, and that the list knows their names.
func TestComparisonOfOtherRows(t *testing.T) {
	var c sweep.Comparison
	for _, name := range []string{"archived", "mismatch", "record", "unreadable"} {
		if err := c.Add(name, -1, sums(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []sweep.Row{
		{Key: "archived", State: sweep.Archived},
		{Key: "extra", State: sweep.Unreadable},
		{Key: "mismatch", State: sweep.Mismatch, Checksums: sums(t, "mismatch")},
		{Key: "record", State: sweep.Orphan},
		{Key: "unreadable", State: sweep.Unreadable, Reason: "broken"},
	} {
		if got, ok := c.Compare(r); !ok || !cmp.Equal(got, r) {
			t.Errorf("%v became %v, %v", r, got, ok)
		}
	}
	rest := slices.Collect(c.Rest("b"))
	if len(rest) != 1 || short(rest[0]) != "missing record md5" {
		t.Errorf("the rest is %v", rest)
	}
}

func TestComparisonAlgorithms(t *testing.T) {
	var c sweep.Comparison
	upper := sums(t, "1", "sha256")
	upper["sha256"] = strings.ToUpper(upper["sha256"])
	for _, entry := range []map[string]string{upper, sums(t, "2", "blake3", "md5"), sums(t, "3", "crc32c")} {
		if err := c.Add("a", -1, entry); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.Algorithms(), []string{"md5", "sha256", "crc32c", "blake3"}; !slices.Equal(got, want) {
		t.Errorf("algorithms %v, want %v", got, want)
	}
	if c.Len() != 1 {
		t.Errorf("%d names, want 1", c.Len())
	}
	if r, _ := c.Compare(sweep.Row{Key: "a", State: sweep.OK, Checksums: sums(t, "1", "sha256")}); r.State != sweep.OK {
		t.Errorf("a value in upper case: %v", r)
	}
	for name, entry := range map[string]map[string]string{
		"none": {}, "unknown": {"sum": "12"}, "short": {"md5": "12"}, "no hexadecimal": {"md5": strings.Repeat("x", 32)},
	} {
		if err := c.Add("b", -1, entry); err == nil {
			t.Errorf("%s: an entry with %v is added", name, entry)
		}
	}
}

// TestComparisonByChance compares many small lists and buckets with what a plain reading of the rules gives.
func TestComparisonByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		letter := func() string { return string(rune('a' + random.IntN(6))) }
		listed, objects := make(map[string]string), make(map[string]string)
		var list []line
		for range random.IntN(7) {
			name := letter()
			if _, ok := listed[name]; !ok {
				listed[name] = letter()
				list = append(list, line{name: name, content: listed[name]})
			}
		}
		for range random.IntN(7) {
			objects[letter()] = letter()
		}
		var got []string
		for _, r := range compare(t, list, objects) {
			got = append(got, fmt.Sprint(r.State, " ", r.Key, r.From))
		}
		want := plainly(listed, objects)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("list %v, bucket %v: %q, want %q", listed, objects, got, want)
		}
	}
}

// plainly returns states and names: of the objects in their order, then of the entries.
func plainly(listed, objects map[string]string) []string {
	var all []string
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(listed)), func(name string) bool { _, there := objects[name]; return there })
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		content, ok := listed[key]
		switch {
		case ok && content == objects[key]:
			all = append(all, "ok "+key)
			continue
		case ok:
			all = append(all, "mismatch "+key)
			continue
		}
		old := slices.IndexFunc(missing, func(name string) bool { return listed[name] == objects[key] })
		if old < 0 {
			all = append(all, "new "+key)
			continue
		}
		all = append(all, "moved "+key+missing[old])
		missing = slices.Delete(missing, old, old+1)
	}
	for _, name := range missing {
		all = append(all, "missing "+name)
	}
	slices.Sort(all)
	return all
}

// BenchmarkComparison tells the memory and time that an entry takes, beside the 40 bytes of its name and the 16 of its
// digest, if its object is there, and if it was renamed.
func BenchmarkComparison(b *testing.B) {
	const entries = 1_000_000
	sum := func(i int) map[string]string {
		h := md5.Sum(fmt.Append(nil, i))
		return map[string]string{"md5": hex.EncodeToString(h[:])}
	}
	for _, prefix := range []string{"there", "moved"} {
		b.Run(prefix, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				var c sweep.Comparison
				for i := range entries {
					if err := c.Add(fmt.Sprintf("there/%034d", i), -1, sum(i)); err != nil {
						b.Fatal(err)
					}
				}
				c.Len()
				b.ReportMetric(float64(heap()-before)/entries-40-16, "B/entry")
				for i := range entries {
					c.Compare(sweep.Row{Bucket: "b", Key: fmt.Sprintf("%s/%034d", prefix, i), State: sweep.OK, Checksums: sum(i)})
				}
				b.ReportMetric(float64(heap()-before)/entries-40-16, "B/row")
				for range c.Rest("b") {
				}
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
