package handover_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/handover"
	"github.com/bucketsum/bucketsum/pipeline/attestation"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var (
	md5Value    = strings.Repeat("1a", 16)
	sha256Value = strings.Repeat("3c", 32)
)

func row(key string, size int64, state sweep.State) sweep.Row {
	return sweep.Row{Bucket: "photos", Key: key, State: state, Size: &size, Checksums: map[string]string{"md5": md5Value, "sha256": sha256Value}}
}

func config(c handover.Config) handover.Config {
	c.Bucket, c.Version, c.Now = "photos", "v1", time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	if c.Algorithms == nil {
		c.Algorithms = []string{"md5"}
	}
	return c
}

// write adds rows, and commits.
func write(t *testing.T, c handover.Config, rows ...sweep.Row) []sweep.Row {
	t.Helper()
	m, err := handover.New(config(c))
	if err != nil {
		t.Fatal(err)
	}
	var after []sweep.Row
	for _, r := range rows {
		r, err := m.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, r)
	}
	if err := m.Commit(); err != nil {
		t.Fatal(err)
	}
	return after
}

// files returns the content of all files in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() && name != "." {
			all[name+"/"] = ""
		} else if !e.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[name] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStandardOutput(t *testing.T) {
	for _, test := range []struct {
		name string
		c    handover.Config
		rows []sweep.Row
		want string
	}{
		{"lines", handover.Config{Format: "md5sum"}, []sweep.Row{row("a", 1, "ok"), row("b\n", 1, "ok")}, md5Value + "  a\n\\" + md5Value + `  b\n` + "\n"},
		{"gaps", handover.Config{Format: "md5sum"}, []sweep.Row{row("a", 1, "stale"), row("b", 1, "no-record"), row("c", 1, "orphan"), row("d", 1, "mismatch"), row("e", 1, "ok")}, md5Value + "  e\n"},
		{"folders", handover.Config{Format: "md5sum"}, []sweep.Row{row("d/", 0, "ok"), row("d/a", 0, "ok"), row("e/", 1, "ok")}, md5Value + "  d/a\n" + md5Value + "  e/\n"},
		{"strip", handover.Config{Format: "bsd", Algorithms: []string{"sha256", "md5"}, Prefix: "p/2026", Strip: "p/"}, []sweep.Row{row("p/2026/a", 1, "ok")}, "SHA256 (2026/a) = " + sha256Value + "\nMD5 (2026/a) = " + md5Value + "\n"},
		{"JSON", handover.Config{Format: "json"}, []sweep.Row{row("a", 0, "ok"), row("b", 0, "stale"), row("d/", 0, "ok")}, `{"bucket":"photos","key":"a","state":"ok","size":0,"checksums":{"md5":"` + md5Value + `"}}` + "\n" + `{"bucket":"photos","key":"d/","state":"ok","size":0,"checksums":{"md5":"` + md5Value + `"}}` + "\n"},
	} {
		var out bytes.Buffer
		test.c.Out = &out
		write(t, test.c, test.rows...)
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// TestFile: a file has its name only when the manifest is complete, and replaces an earlier one.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	c := handover.Config{Format: "md5sum", Output: filepath.Join(dir, "sums")}
	m, err := handover.New(config(c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Add(row("a", 1, "ok")); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got["sums"] != "" {
		t.Errorf("before the end there is %q", got)
	}
	if err := m.Discard(); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("a discarded manifest leaves %q", got)
	}
	write(t, c, row("a", 1, "ok"))
	write(t, c, row("b", 1, "ok"))
	if diff := cmp.Diff(map[string]string{"sums": md5Value + "  b\n"}, files(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestBag(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "bag")
	rows := write(t, handover.Config{Format: "bagit", Output: dir, Prefix: "p/", Strip: "p/"}, row("p/a%", 3, "ok"), row("p//b", 1, "ok"), row("p/d/", 0, "ok"))
	if rows[1].State != sweep.Unreadable || !strings.Contains(rows[1].Reason, "--exclude") {
		t.Errorf("a name that no bag can have: %+v", rows[1])
	}
	got := files(t, dir)
	delete(got, "tagmanifest-md5.txt")
	want := map[string]string{
		"manifest-md5.txt": md5Value + "  data/a%25\n",
		"bagit.txt":        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
		"bag-info.txt":     "Payload-Oxum: 3.1\nBagging-Date: 2026-11-30\nBag-Software-Agent: bucketsum v1 <https://github.com/bucketsum/bucketsum>\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	write(t, handover.Config{Format: "bagit", Output: dir}, row("a", 3, "ok")) // replaces it
	if _, err := handover.New(config(handover.Config{Format: "bagit", Output: dir, Algorithms: []string{"sha256"}})); err == nil || !strings.Contains(err.Error(), "manifest-md5.txt is of an earlier bag") {
		t.Errorf("beside a manifest of another algorithm: %v", err)
	}
}

func TestExistingBag(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("bagit.txt")
	put("manifest-sha512.txt")
	c := handover.Config{Format: "bagit", Output: dir, ExistingBag: true}
	write(t, c, row("bagit.txt", 9, "ok"), row("data/a", 3, "ok"), row("manifest-md5.txt", 3, "ok"), row("manifest-sha512.txt", 9, "ok"))
	got := files(t, dir)
	if got["bagit.txt"] != "of before" || got["manifest-md5.txt"] != md5Value+"  data/a\n" || got["bag-info.txt"] != "" ||
		!strings.HasPrefix(got["tagmanifest-md5.txt"], md5Value+"  bagit.txt\n"+md5Value+"  manifest-sha512.txt\n") {
		t.Errorf("the folder has %q", got)
	}
	put("tagmanifest-sha512.txt")
	if _, err := handover.New(config(c)); err == nil || !strings.Contains(err.Error(), "tagmanifest-sha512.txt is of an earlier bag") {
		t.Errorf("beside a tag manifest of another algorithm: %v", err)
	}
}

func keys(t *testing.T) (ed25519.PrivateKey, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestSignature(t *testing.T) {
	private, text := keys(t)
	public, err := attestation.ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		c         handover.Config
		statement string
		files     []string
	}{
		{handover.Config{Format: "md5sum", Output: "sums"}, "sums.intoto.jsonl", []string{"sums"}},
		{handover.Config{Format: "json", Output: "rows.json"}, "rows.json.intoto.jsonl", []string{"rows.json"}},
		{handover.Config{Format: "bagit", Output: "."}, "manifest.intoto.jsonl", []string{"manifest-md5.txt", "bagit.txt", "bag-info.txt", "tagmanifest-md5.txt"}},
	} {
		dir := t.TempDir()
		test.c.Output, test.c.Key = filepath.Join(dir, test.c.Output), private
		write(t, test.c, row("a", 3, "ok"), row("b", 4, "ok"), row("c", 4, "stale"))
		verify := func() (string, error) {
			var out strings.Builder
			err := handover.Verify(&out, filepath.Join(dir, test.statement), public)
			return out.String(), err
		}
		out, err := verify()
		want := strings.Join(test.files, ": OK\n") + ": OK\nsigned: manifest of 2 objects, 7 bytes in bucket photos, prefix \"\", made on 2026-11-30T23:00:00Z; left out: 1 objects\n"
		if err != nil || out != want {
			t.Errorf("%s: error %v, output\n%swant\n%s", test.c.Format, err, out, want)
		}
		for _, name := range test.files {
			path := filepath.Join(dir, name)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(content, ' '), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := verify(); !errors.Is(err, handover.ErrFailed) || !strings.Contains(out, name+": FAILED: it is not the file that was signed") {
				t.Errorf("%s is changed: error %v, output\n%s", name, err, out)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if out, err := verify(); !errors.Is(err, handover.ErrFailed) || !strings.Contains(out, name+": FAILED: it cannot be read") {
				t.Errorf("%s is missing: error %v, output\n%s", name, err, out)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, other := keys(t)
		stranger, err := attestation.ParsePublicKey(other)
		if err != nil {
			t.Fatal(err)
		}
		if err := handover.Verify(io.Discard, filepath.Join(dir, test.statement), stranger); !errors.Is(err, handover.ErrFailed) {
			t.Errorf("with another key: %v", err)
		}
		if err := handover.Verify(io.Discard, filepath.Join(dir, "none"), public); err == nil || errors.Is(err, handover.ErrFailed) {
			t.Errorf("without a statement: %v", err)
		}
	}
}

// TestForeignNames: a statement names files only beside itself.
func TestForeignNames(t *testing.T) {
	private, text := keys(t)
	public, err := attestation.ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	line, err := attestation.Sign(attestation.Statement{Subject: []attestation.File{
		{Name: "../../etc/passwd", Digest: map[string]string{"sha256": "00"}}, {Name: "/dev/zero", Digest: map[string]string{"sha256": "00"}}, {Name: ".", Digest: map[string]string{"sha256": "00"}},
	}}, private)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "s"), line, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := handover.Verify(&out, filepath.Join(dir, "s"), public); !errors.Is(err, handover.ErrFailed) || strings.Count(out.String(), "leads out") != 2 || !strings.Contains(out.String(), ".: FAILED: it is not a regular file") {
		t.Errorf("error %v, output\n%s", err, out.String())
	}
}

func TestMistakes(t *testing.T) {
	private, _ := keys(t)
	dir := t.TempDir()
	for _, test := range []struct {
		c   handover.Config
		err string
	}{
		{handover.Config{Format: "bagit"}, "name their folder with --output"},
		{handover.Config{Format: "md5sum", Key: private}, "--sign writes a statement beside the manifest"},
		{handover.Config{Format: "md5sum", Strip: "p/", Prefix: "q/"}, "--prefix must begin with it"},
		{handover.Config{Format: "nonsense"}, "unknown format"},
		{handover.Config{Format: "md5sum", Output: dir + "/"}, "is a folder; name a file in it"},
		{handover.Config{Format: "md5sum", Output: dir}, "is not a regular file"},
		{handover.Config{Format: "md5sum", Output: filepath.Join(dir, "none", "sums")}, "there is no folder"},
	} {
		if _, err := handover.New(config(test.c)); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%+v: %v, want %q", test.c, err, test.err)
		}
	}
	if got := files(t, filepath.Dir(dir)); len(got) != 1 {
		t.Errorf("mistakes leave %q", got)
	}
}

// TestFaults: a manifest that cannot be written is not complete.
func TestFaults(t *testing.T) {
	m, err := handover.New(config(handover.Config{Format: "md5sum", Out: full{}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Add(row("a", 1, "ok")); err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(); !errors.Is(err, errFull) {
		t.Errorf("the manifest is complete: %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
