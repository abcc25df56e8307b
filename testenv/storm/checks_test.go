package storm

import (
	"context"
	"strings"
	"testing"
)

// oneRecord is a store with one record at most.
type oneRecord struct {
	store
	r *record
}

func (s oneRecord) record(context.Context, string, string) (*record, error) {
	if s.r == nil {
		return nil, errGone
	}
	return s.r, nil
}

// TestRecordFault expects that each kind of wrong record is found, while the storm lasts or at
// its end.
func TestRecordFault(t *testing.T) {
	algorithms := []string{"md5", "sha256"}
	older, _ := newContent(1, 100, algorithms)
	newer, _ := newContent(2, 200, algorithms)
	foreign, _ := newContent(3, 200, algorithms)
	right := record{value: newer.sums["md5"], etag: "e2", version: "v2", size: 200}
	change := func(f func(*record)) *record {
		r := right
		f(&r)
		return &r
	}
	for name, tc := range map[string]struct {
		gone          bool
		r             *record
		during, atEnd string // parts of the findings
	}{
		"right":                 {false, &right, "", ""},
		"none":                  {false, nil, "", "no md5 record"},
		"gone without a record": {true, nil, "", ""},
		"gone with a record":    {true, &right, "", "without an object"},
		"of the older version":  {false, &record{value: older.sums["md5"], etag: "e1", version: "v1", size: 100}, "", "another content"},
		"another version":       {false, change(func(r *record) { r.etag, r.version = "e1", "v1" }), "ETag e1", "another version"},
		"unknown content":       {false, change(func(r *record) { r.value = foreign.sums["md5"] }), "no content", "another content"},
		"unknown ETag":          {false, change(func(r *record) { r.etag = "e3" }), "never had", "another version"},
		"size":                  {false, change(func(r *record) { r.size = 100 }), "size is 100", "size is 100"},
		"ETag of another id":    {false, change(func(r *record) { r.version = "v1" }), "version v1", "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lane{algorithms: algorithms, byName: make(map[string]*object)}
			p := &place{lane: l, name: "b", versioned: true, namesVersions: true, store: oneRecord{r: tc.r}}
			o := l.object(p, "k", nil)
			for _, v := range []version{{etag: "e1", id: "v1", content: older}, {etag: "e2", id: "v2", content: newer}} {
				o.begin(v.etag, v.content)
				o.done("put", &v)
			}
			if tc.gone {
				o.done("delete", &version{marker: true})
			}
			if tc.r != nil {
				if got := o.wrong(tc.r, "md5"); !found(got, tc.during) {
					t.Errorf("during the storm it finds %q, want %q", got, tc.during)
				}
			}
			if got := recordFault(t.Context(), o, o.current(), "md5"); !found(got, tc.atEnd) {
				t.Errorf("at the end it finds %q, want %q", got, tc.atEnd)
			}
		})
	}
}

// found reports whether a finding is the wanted one; none if want is empty.
func found(got, want string) bool { return (got == "") == (want == "") && strings.Contains(got, want) }

// TestVersions expects that a key with versions has the right current one after each change.
func TestVersions(t *testing.T) {
	l := &lane{byName: make(map[string]*object)}
	o := l.object(&place{lane: l, name: "b", versioned: true}, "k", nil)
	c := &content{}
	current := func(want string) {
		t.Helper()
		got := "gone"
		if v := o.current(); v != nil {
			got = v.id
		}
		if got != want {
			t.Errorf("current is %s, want %s", got, want)
		}
	}
	current("gone")
	o.done("put", &version{id: "1", content: c})
	o.done("put", &version{id: "2", content: c})
	current("2")
	o.undone()
	current("1")
	o.done("delete", &version{id: "m", marker: true})
	current("gone")
	o.done("put", &version{id: "3", content: c})
	current("3")
	o.undone()
	current("gone")
}
