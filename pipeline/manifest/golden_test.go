package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// contents are those of the files that testdata is about.
var contents = map[string]string{
	"a b": "x", "n\nl": "y", `b\s`: "z", "100% d%0A": "hundred", "ü": "umlaut", "-dash": "dash", "d/f": "below", "empty": "",
}

// sum returns the checksum of a content.
func sum(t testing.TB, algorithm, content string) string {
	t.Helper()
	d, err := digest.New(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	return d.Sums()[algorithm]
}

// list is what a Reader yields.
type list struct {
	entries []manifest.Entry
	faults  map[int]string // by line
	notes   []string
	form    manifest.Form
	err     error // that ended the list
}

func read(name, text string, algorithms ...string) list {
	return readKnown(nil, name, text, algorithms...)
}

func readKnown(known []string, name, text string, algorithms ...string) list {
	l := list{faults: map[int]string{}}
	r, err := manifest.NewReader(strings.NewReader(text), manifest.Options{Name: name, Algorithms: algorithms, Known: known, Logical: true})
	if err != nil {
		l.err = err
		return l
	}
	l.form = r.Form()
	for e, err := range r.Entries() {
		if fault, ok := errors.AsType[*manifest.LineError](err); ok {
			l.faults[fault.Line] = fault.Err.Error()
		} else if err != nil {
			l.err = err
		} else {
			l.entries = append(l.entries, e)
		}
	}
	l.notes = r.Notes()
	return l
}

// TestGoldenLists reads what other tools printed.
func TestGoldenLists(t *testing.T) {
	all := []string{"a b", "n\nl", `b\s`, "100% d%0A", "ü", "-dash", "d/f", "empty"}
	plain := []string{"a b", `b\s`, "100% d%0A", "ü", "d/f", "empty"} // those that these tools can print
	for _, test := range []struct {
		file       string
		form       manifest.Form
		algorithms []string
		names      []string
		faults     int
		notes      int
	}{
		{file: "md5sum.txt", form: manifest.Sums, algorithms: []string{"md5"}, names: all},
		{file: "sha512sum-b.txt", form: manifest.Sums, algorithms: []string{"sha512"}, names: all},
		{file: "sha256sum-tag.txt", form: manifest.Sums, algorithms: []string{"sha256"}, names: all},
		{file: "sha1sum-crlf.txt", form: manifest.Sums, algorithms: []string{"sha1"}, names: all},
		{file: "cksum-sha1.txt", form: manifest.Sums, algorithms: []string{"sha1"}, names: all},
		{file: "openssl-sha256.txt", form: manifest.Sums, algorithms: []string{"sha256"}, names: plain},
		{file: "openssl-md5-r.txt", form: manifest.Sums, algorithms: []string{"md5"}, names: plain},
		{file: "xxhsum.txt", form: manifest.Sums, algorithms: []string{"xxh3"}, names: []string{"a b", `b\s`, "100% d%0A", "ü", "-dash", "d/f", "empty"}},
		// hashdeep breaks the line of a name with a newline: an entry of half the name, and an improper line.
		{file: "hashdeep.txt", form: manifest.Hashdeep, algorithms: []string{"md5", "sha1", "sha256"}, names: []string{"a b", "n", `b\s`, "100% d%0A", "ü", "-dash", "d/f", "empty"}, faults: 1, notes: 1},
		{file: "b2sum.txt", form: manifest.Sums, faults: 8}, // BLAKE2b is as long as SHA-512
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", test.file))
			if err != nil {
				t.Fatal(err)
			}
			got := read(test.file, string(text))
			if got.err != nil || got.form != test.form || len(got.faults) != test.faults || len(got.notes) != test.notes {
				t.Errorf("error %v, form %s, faults %v, notes %v; want %s, %d faults, %d notes", got.err, got.form, got.faults, got.notes, test.form, test.faults, test.notes)
			}
			want := map[string]map[string]string{}
			for _, name := range test.names {
				content := contents[name]
				if name == "n" {
					content = contents["n\nl"]
				}
				want[name] = map[string]string{}
				for _, a := range test.algorithms {
					want[name][a] = sum(t, a, content)
				}
			}
			found := map[string]map[string]string{}
			for _, e := range got.entries {
				found[e.Name] = e.Checksums
				if e.Size != pipeline.UnknownSize && e.Name != "n" && e.Size != int64(len(contents[e.Name])) {
					t.Errorf("the size of %q is %d", e.Name, e.Size)
				}
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Error(diff)
			}
		})
	}
}
