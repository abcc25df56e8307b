package manifest_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// into creates the files of a bag in a folder.
func into(dir string) manifest.Create {
	return func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, name)) }
}

func writeBag(t *testing.T, dir string, o manifest.BagOptions, entries []manifest.Entry) []manifest.Entry {
	t.Helper()
	b, err := manifest.NewBag(into(dir), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := b.Write(e); err != nil {
			t.Fatalf("%q: %v", e.Name, err)
		}
	}
	files, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func text(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkBag makes sure that every file of a bag is in a manifest of each algorithm, and is right. It shares no code with
// the reader.
func checkBag(t *testing.T, dir string, algorithms ...string) {
	t.Helper()
	decode := strings.NewReplacer("%0A", "\n", "%0D", "\r", "%25", "%")
	for _, a := range algorithms {
		listed := map[string]string{}
		for _, kind := range []string{"manifest-", "tagmanifest-"} {
			for line := range strings.Lines(text(t, dir, kind+a+".txt")) {
				value, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
				name = decode.Replace(name)
				if strings.HasPrefix(name, "data/") != (kind == "manifest-") || listed[name] != "" {
					t.Errorf("%s%s.txt lists %q", kind, a, name)
				}
				listed[name] = value
			}
		}
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name, _ := filepath.Rel(dir, path)
			if name = filepath.ToSlash(name); strings.HasPrefix(name, "tagmanifest-") {
				return nil
			}
			if want := sum(t, a, text(t, path)); listed[name] != want {
				t.Errorf("%s: %q is listed with %q, want %q", a, name, listed[name], want)
			}
			delete(listed, name)
			return nil
		})
		if err != nil || len(listed) > 0 {
			t.Errorf("%s: %v; listed and not there: %v", a, err, listed)
		}
	}
}

func TestBag(t *testing.T) {
	dir := t.TempDir()
	data, entries := folder(t, odd)
	if err := os.Rename(data, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	files := writeBag(t, dir, manifest.BagOptions{Algorithms: []string{"sha512", "md5"}, Info: [][2]string{{"Bagging-Date", "2026-11-30"}}}, entries)
	checkBag(t, dir, "md5", "sha512")
	var bytes int64
	for _, e := range entries {
		bytes += e.Size
	}
	if got, want := text(t, dir, "bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"; got != want {
		t.Errorf("bagit.txt is %q", got)
	}
	if got, want := text(t, dir, "bag-info.txt"), fmt.Sprintf("Payload-Oxum: %d.%d\nBagging-Date: 2026-11-30\n", bytes, len(entries)); got != want {
		t.Errorf("bag-info.txt is %q, want %q", got, want)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		if content := text(t, dir, f.Name); f.Size != int64(len(content)) || f.Checksums["md5"] != sum(t, "md5", content) {
			t.Errorf("the bag says of its file %+v", f)
		}
	}
	if diff := cmp.Diff([]string{"manifest-sha512.txt", "manifest-md5.txt", "bagit.txt", "bag-info.txt", "tagmanifest-sha512.txt", "tagmanifest-md5.txt"}, names); diff != "" {
		t.Error(diff)
	}
	got := read("manifest-md5.txt", text(t, dir, "manifest-md5.txt"))
	if len(got.entries) != len(entries) || len(got.faults) > 0 {
		t.Fatalf("read again: %d entries, faults %v", len(got.entries), got.faults)
	}
	for i, e := range got.entries {
		if e.Name != "data/"+entries[i].Name {
			t.Errorf("read again: %q, want %q", e.Name, entries[i].Name)
		}
	}
}

// TestExistingBag: of a bag in a bucket, only manifests are written, and its other files are tag files.
func TestExistingBag(t *testing.T) {
	old := []string{
		"bag-info.txt", "bagit.txt", "data/a", "data/b%", "manifest-md5.txt", "manifest-sha256.txt", "metadata/x y.xml", "tagmanifest-md5.txt", "tagmanifest-sha256.txt",
	}
	dir, entries := folder(t, old)
	writeBag(t, dir, manifest.BagOptions{Algorithms: []string{"sha256"}, Existing: true}, entries)
	checkBag(t, dir, "sha256")
	if got := text(t, dir, "bag-info.txt"); got != "content of bag-info.txt" {
		t.Errorf("bag-info.txt is %q", got)
	}
	if got := text(t, dir, "tagmanifest-sha256.txt"); !strings.Contains(got, "manifest-md5.txt") || strings.Contains(got, "tagmanifest") {
		t.Errorf("tagmanifest-sha256.txt is\n%s", got)
	}
}

func TestBagRefuses(t *testing.T) {
	b, err := manifest.NewBag(into(t.TempDir()), manifest.BagOptions{Algorithms: []string{"md5"}})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{"md5": md5Value}
	for _, name := range []string{"", "/a", "a//b", "a/", "..", "../a", "a/../b", "a/..", ".", "./a", "\xff", "a\x00"} {
		if err := b.Write(manifest.Entry{Name: name, Checksums: sums}); !errors.Is(err, manifest.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, e := range []manifest.Entry{{Name: "a", Size: -1, Checksums: sums}, {Name: "a"}} {
		if err := b.Write(e); err == nil || errors.Is(err, manifest.ErrName) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	files, err := b.Close()
	if err != nil || files[0].Size != 0 {
		t.Errorf("the manifest has %+v, error %v", files[0], err)
	}
}

func TestBagReportsFaults(t *testing.T) {
	for fail := range 5 {
		n := 0
		create := func(string) (io.WriteCloser, error) {
			w := nopCloser{io.Discard}
			if n == fail {
				w.Writer = &failingWriter{}
			}
			n++
			return w, nil
		}
		b, err := manifest.NewBag(create, manifest.BagOptions{Algorithms: []string{"md5"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write(manifest.Entry{Name: "a", Checksums: map[string]string{"md5": md5Value}}); err != nil {
			t.Error(err)
		}
		if _, err := b.Close(); errors.Is(err, io.ErrShortWrite) != (fail < 4) {
			t.Errorf("file %d fails: %v", fail, err)
		}
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestSpellings(t *testing.T) {
	for _, test := range []struct {
		name    string
		form    manifest.Form
		place   string
		entries []manifest.Entry
		keys    []string // of the bucket
		want    manifest.Spelling
	}{
		{"as they stand", manifest.Sums, "", names("a", "d/b"), []string{"a", "d/b"}, manifest.Spelling{}},
		{"nothing is there", manifest.Sums, "", names("a"), nil, manifest.Spelling{}},
		{"beside the list", manifest.Sums, "p/MD5SUMS", names("a", "b"), []string{"p/a", "p/b"}, manifest.Spelling{Add: "p/"}},
		{"a whole bag", manifest.BagIt, "", names("data/a"), []string{"data/a"}, manifest.Spelling{}},
		{"the payload of a bag", manifest.BagIt, "", names("data/a"), []string{"a"}, manifest.Spelling{Strip: "data/"}},
		{"a bag below its place", manifest.BagIt, "bags/1/manifest-md5.txt", names("data/a"), []string{"bags/1/data/a"}, manifest.Spelling{Add: "bags/1/"}},
		{"its payload beside the list", manifest.BagIt, "q/manifest-md5.txt", names("data/a"), []string{"q/a"}, manifest.Spelling{Strip: "data/", Add: "q/"}},
		{"most of them", manifest.BagIt, "", names("data/a", "data/b", "data/c"), []string{"data/a", "b", "c"}, manifest.Spelling{Strip: "data/"}},
		{"paths of Windows", manifest.Hashes, "", names("a", `d\b`), []string{"a", "d/b"}, manifest.Spelling{Slashes: true}},
		{"paths of Windows beside the list", manifest.Sums, "p/list", names(`d\b`, `d\c`), []string{"p/d/b"}, manifest.Spelling{Add: "p/", Slashes: true}},
		{"keys with backslashes", manifest.Sums, "", names(`d\b`), []string{"d/b", `d\b`}, manifest.Spelling{}},
		{"OCFL content", manifest.OCFL, "", append(names("v1/content/a"), manifest.Entry{Name: "a", Logical: true}), []string{"v1/content/a"}, manifest.Spelling{}},
		{"OCFL logical", manifest.OCFL, "", append(names("v1/content/a"), manifest.Entry{Name: "a", Logical: true}), []string{"a"}, manifest.Spelling{Logical: true}},
	} {
		asked := 0
		got, err := manifest.Choose(manifest.Spellings(test.form, test.place), test.entries, func(key string) (bool, error) {
			asked++
			return slices.Contains(test.keys, key), nil
		})
		if err != nil || got != test.want || asked > 40 {
			t.Errorf("%s: %+v, error %v, after %d questions; want %+v", test.name, got, err, asked, test.want)
		}
	}
	broken := errors.New("no answer")
	if _, err := manifest.Choose(manifest.Spellings(manifest.BagIt, ""), names("a"), func(string) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("the error of a question is %v", err)
	}
	many := names()
	for i := range 1000 {
		many = append(many, manifest.Entry{Name: fmt.Sprint(i)})
	}
	asked := 0
	if _, err := manifest.Choose(manifest.Spellings(manifest.Sums, "d/list"), many, func(string) (bool, error) { asked++; return false, nil }); err != nil || asked > 60 {
		t.Errorf("%d questions, error %v", asked, err)
	}
}

func names(all ...string) []manifest.Entry {
	var entries []manifest.Entry
	for _, name := range all {
		entries = append(entries, manifest.Entry{Name: name})
	}
	return entries
}
