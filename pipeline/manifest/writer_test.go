package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// tool returns the path of a program. Without it the test is skipped, except in CI, where it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is needed: %v", name, err)
	}
	t.Skipf("no %s to compare with: %v", name, err)
	return ""
}

// odd are names of files that a list may spoil.
var odd = []string{
	"a b", " leading", "trailing ", "n\nl", "c\rr", `b\s`, `b\n`, "100%", "%0A", "%25", "ü", "u\u0308", "-dash", "--", "*star", "(p) = q", "#comment", "~tilde", "d/f", "d/-x", "'\"`$", "%%%% x,y", "1,2",
}

// folder makes files with odd names, and returns their entries in order.
func folder(t *testing.T, names []string) (dir string, entries []manifest.Entry) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range slices.Sorted(slices.Values(names)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := digest.New(digest.Names()...)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(d, "content of "+name)
		entries = append(entries, manifest.Entry{Name: name, Size: int64(len("content of " + name)), Checksums: d.Sums()})
	}
	return dir, entries
}

func write(t *testing.T, f manifest.Format, algorithms []string, entries []manifest.Entry) string {
	t.Helper()
	var b bytes.Buffer
	w, err := manifest.NewWriter(&b, f, algorithms)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatalf("%q: %v", e.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestTools: the tools that a format is named after find every file of odd names right, and say so of one that is
// changed.
func TestTools(t *testing.T) {
	for _, test := range []struct {
		format     manifest.Format
		algorithms []string
		command    []string
	}{
		{"md5sum", []string{"md5"}, []string{"md5sum", "--check", "--strict", "--quiet"}},
		{"sha1sum", []string{"sha1"}, []string{"sha1sum", "--check", "--strict", "--quiet"}},
		{"sha256sum", []string{"sha256"}, []string{"sha256sum", "--check", "--strict", "--quiet"}},
		{"sha512sum", []string{"sha512"}, []string{"sha512sum", "--check", "--strict", "--quiet"}},
		{"bsd", []string{"sha256"}, []string{"sha256sum", "--check", "--strict", "--quiet"}},
		{"bsd", []string{"md5", "sha512"}, []string{"cksum", "--check", "--strict", "--quiet"}},
	} {
		t.Run(test.command[0]+" "+string(test.format), func(t *testing.T) {
			command := tool(t, test.command[0])
			dir, entries := folder(t, odd)
			list := write(t, test.format, test.algorithms, entries)
			check := func() (string, error) {
				cmd := exec.Command(command, test.command[1:]...)
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(list)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := check(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, name := range []string{"n\nl", `b\n`, "%0A"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := check(); err == nil || strings.Count(out, "FAILED") != 3*len(test.algorithms) {
				t.Errorf("with three changed files: %v\n%s", err, out)
			}
		})
	}
}

func TestHashdeep(t *testing.T) {
	command := tool(t, "hashdeep")
	dir, entries := folder(t, slices.DeleteFunc(slices.Clone(odd), func(name string) bool { return strings.ContainsAny(name, "\n\r") }))
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte(write(t, "hashdeep", []string{"sha256", "md5"}, entries)), 0o600); err != nil {
		t.Fatal(err)
	}
	audit := func() (string, error) {
		cmd := exec.Command(command, "-r", "-l", "-a", "-v", "-k", file, ".")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := audit(); err != nil || !strings.Contains(out, "Audit passed") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "a b"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := audit(); err == nil {
		t.Errorf("with a changed file: %s", out)
	}
}

// TestRoundTrips: what is written is read again.
func TestRoundTrips(t *testing.T) {
	_, entries := folder(t, odd)
	for _, test := range []struct {
		format     manifest.Format
		algorithms []string
	}{
		{"md5sum", []string{"md5"}}, {"b3sum", []string{"blake3"}}, {"bsd", digest.Names()}, {"hashdeep", []string{"md5", "sha1", "sha256"}},
	} {
		want, found := map[string]map[string]string{}, map[string]map[string]string{}
		var written []manifest.Entry
		for _, e := range append(entries, manifest.Entry{Name: "/rooted", Size: 1, Checksums: entries[0].Checksums}) {
			if test.format == "hashdeep" && strings.ContainsAny(e.Name, "\n\r") {
				continue
			}
			written = append(written, e)
			want[e.Name] = map[string]string{}
			for _, a := range test.algorithms {
				want[e.Name][a] = e.Checksums[a]
			}
		}
		got := read(string(test.format)+"s", write(t, test.format, test.algorithms, written))
		for _, e := range got.entries {
			if found[e.Name] == nil {
				found[e.Name] = map[string]string{}
			}
			maps.Copy(found[e.Name], e.Checksums)
		}
		if diff := cmp.Diff(want, found); diff != "" || got.err != nil || len(got.faults) > 0 {
			t.Errorf("%s: error %v, faults %v, diff:\n%s", test.format, got.err, got.faults, diff)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	sums := map[string]string{"md5": md5Value, "sha256": sha256Value}
	for _, test := range []struct {
		format     manifest.Format
		algorithms []string
		entry      manifest.Entry
		name       bool // the error is ErrName
	}{
		{"md5sum", []string{"md5"}, manifest.Entry{Name: "", Checksums: sums}, true},
		{"md5sum", []string{"md5"}, manifest.Entry{Name: "a\x00b", Checksums: sums}, true},
		{"sha1sum", []string{"sha1"}, manifest.Entry{Name: "a", Checksums: sums}, false},
		{"bsd", []string{"md5", "sha1"}, manifest.Entry{Name: "a", Checksums: sums}, false},
		{"md5sum", []string{"md5"}, manifest.Entry{Name: "a", Checksums: map[string]string{"md5": "x\ny"}}, false},
		{"hashdeep", []string{"md5"}, manifest.Entry{Name: "a\nb", Checksums: sums}, true},
		{"hashdeep", []string{"md5"}, manifest.Entry{Name: "a", Size: -1, Checksums: sums}, false},
	} {
		var b bytes.Buffer
		w, err := manifest.NewWriter(&b, test.format, test.algorithms)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(test.entry); err == nil || errors.Is(err, manifest.ErrName) != test.name {
			t.Errorf("%s of %+v: %v", test.format, test.entry, err)
		}
		if err := w.Close(); err != nil || strings.Contains(b.String(), md5Value) {
			t.Errorf("%s of %+v: %v, wrote %q", test.format, test.entry, err, b.String())
		}
	}
	for _, test := range []struct {
		format     manifest.Format
		algorithms []string
	}{
		{"md5sum", []string{"sha1"}}, {"md5sum", []string{"md5", "sha1"}}, {"crc32csum", []string{"crc32c"}}, {"bsd", nil}, {"hashdeep", []string{"sha512"}}, {"bagit", []string{"blake3"}},
	} {
		if err := test.format.Validate(test.algorithms); err == nil {
			t.Errorf("%s with %v is valid", test.format, test.algorithms)
		}
	}
	for _, f := range manifest.Formats() {
		algorithm := "md5"
		if only := f.Algorithm(); only != "" {
			algorithm = only
		}
		if err := f.Validate([]string{algorithm}); err != nil {
			t.Error(err)
		}
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestWriterReportsFaults: a full disk is noticed at the latest by Close.
func TestWriterReportsFaults(t *testing.T) {
	w, err := manifest.NewWriter(&failingWriter{}, "md5sum", []string{"md5"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(manifest.Entry{Name: "a", Checksums: map[string]string{"md5": md5Value}}); err != nil {
		t.Errorf("the line is only buffered: %v", err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close returns %v", err)
	}
}
