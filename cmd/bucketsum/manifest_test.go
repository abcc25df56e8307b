package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// manifestNames are keys that a manifest, a shell or a download may spoil.
var manifestNames = []string{"-dash", "100% d%0A", "a b", `b\s`, "d/c", "d/ü", "e'\"$x", "n\nl", "~t"}

// manifestBucket is a folder with objects, whose records are made by backfill.
func manifestBucket(t *testing.T, algorithms string, names ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "photos")
	for _, name := range names {
		manifestPut(t, dir, name, "content of "+name)
	}
	if status, _, stderr := call(t, nil, "backfill", "--algorithms", algorithms, "file://"+dir); status != exitOK {
		t.Fatalf("backfill ends with %d:\n%s", status, stderr)
	}
	return dir
}

func manifestPut(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// manifestRun runs the command and asserts its status.
func manifestRun(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	got, stdout, stderr := call(t, nil, append([]string{"manifest"}, args...)...)
	if got != status {
		t.Errorf("manifest %q ends with %d, want %d:\n%s%s", args, got, status, stdout, stderr)
	}
	return stdout, stderr
}

// TestManifestOfAFolder: tools find every file as the manifest says.
func TestManifestOfAFolder(t *testing.T) {
	dir := manifestBucket(t, "md5,sha256", manifestNames...)
	for _, test := range []struct {
		tool  string
		lines int // of each object
		args  []string
	}{
		{"md5sum", 1, nil},
		{"sha256sum", 1, []string{"--format", "sha256sum"}},
		{"cksum", 2, []string{"--format", "bsd", "--algorithms", "sha256,md5"}},
	} {
		list, _ := manifestRun(t, exitOK, append(test.args, "file://"+dir)...)
		check := exec.Command(coreutils.Path(t, test.tool), "--check", "--strict", "--quiet")
		check.Dir, check.Stdin = dir, strings.NewReader(list)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s%s", test.tool, err, out, list)
		}
		if n := strings.Count(list, "\n"); n != test.lines*len(manifestNames) {
			t.Errorf("%s: the manifest has %d lines", test.tool, n)
		}
	}

	rows, _ := manifestRun(t, exitOK, "--format", "json", "file://"+dir)
	var keys []string
	for line := range strings.Lines(rows) {
		var r sweep.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.State != sweep.OK || r.Checksums["md5"] == "" {
			t.Errorf("%s: %v", line, err)
		}
		keys = append(keys, r.Key)
	}
	if diff := cmp.Diff(manifestNames, keys); diff != "" {
		t.Error("the order of keys:", diff)
	}

	part, _ := manifestRun(t, exitOK, "--prefix", "d/", "--strip", "d/", "file://"+dir)
	if !strings.HasSuffix(part, "  ü\n") || strings.Count(part, "\n") != 2 {
		t.Errorf("the manifest of a prefix is\n%s", part)
	}
}

// TestManifestGaps: a manifest never lacks an object in silence.
func TestManifestGaps(t *testing.T) {
	dir := manifestBucket(t, "md5", "a", "b", "c", "d")
	manifestPut(t, dir, "b", "other content")
	manifestPut(t, dir, "new", "x")
	if err := os.Remove(filepath.Join(dir, "d")); err != nil { // its record is an orphan
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "MD5SUMS")
	_, stderr := manifestRun(t, exitFailed, "--output", file, "file://"+dir)
	for _, want := range []string{"stale       b", "no-record   new", "MD5SUMS was not written"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("an incomplete manifest has its name")
	}
	if stdout, _ := manifestRun(t, exitFailed, "--quiet", "file://"+dir); strings.Count(stdout, "\n") != 2 {
		t.Errorf("standard output:\n%s", stdout)
	}
	manifestRun(t, exitOK, "--allow-missing", "--output", file, "file://"+dir)
	if text, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(text), "  a\n"+string(text[len(text)-36:])) || strings.Count(string(text), "\n") != 2 {
		t.Errorf("error %v, manifest\n%s", err, text)
	}

	if stdout, stderr := manifestRun(t, exitFailed, "--format", "sha512sum", "file://"+dir); stdout != "" || !strings.Contains(stderr, "no-record   a") {
		t.Errorf("without a record of the algorithm: %s%s", stdout, stderr)
	}
}

func TestManifestNamesFewGaps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "photos")
	for i := range 1100 {
		manifestPut(t, dir, strings.Repeat("x", i/100)+string(rune('a'+i%100/10))+string(rune('a'+i%10)), "")
	}
	_, stderr := manifestRun(t, exitFailed, "file://"+dir)
	if n := strings.Count(stderr, "no-record   "); n > mostGaps+2 || !strings.Contains(stderr, "… and 100 objects more") {
		t.Errorf("%d lines of gaps", n)
	}
}

// TestManifestSignature signs a bag, checks it, and changes it.
func TestManifestSignature(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	keys := t.TempDir()
	for _, args := range []string{"genpkey -algorithm ed25519 -out key", "pkey -in key -pubout -out pub", "pkey -in key -aes256 -passout pass:x -out encrypted"} {
		cmd := exec.Command(openssl, strings.Fields(args)...)
		cmd.Dir = keys
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	key, public := filepath.Join(keys, "key"), filepath.Join(keys, "pub")
	dir := manifestBucket(t, "sha256", manifestNames...)
	bag := filepath.Join(t.TempDir(), "bag")
	manifestRun(t, exitOK, "--format", "bagit", "--algorithms", "sha256", "--sign", key, "--output", bag, "file://"+dir)
	statement := filepath.Join(bag, "manifest.intoto.jsonl")
	stdout, _ := manifestRun(t, exitOK, "--verify-signature", statement, "--key", public)
	for _, want := range []string{"manifest-sha256.txt: OK\n", "tagmanifest-sha256.txt: OK\n", "signed: manifest of 9 objects, 136 bytes in bucket photos"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
	if err := os.WriteFile(filepath.Join(bag, "bag-info.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := manifestRun(t, exitFailed, "--verify-signature", statement, "--key", public); !strings.Contains(stdout, "bag-info.txt: FAILED") {
		t.Errorf("a changed file:\n%s", stdout)
	}
	for _, test := range []struct {
		args []string
		err  string
	}{
		{[]string{"--verify-signature", statement}, "name the file with the public key with --key"},
		{[]string{"--verify-signature", statement, "--key", key}, "is not a public key"},
		{[]string{"--verify-signature", filepath.Join(bag, "none"), "--key", public}, "no such file"},
		{[]string{"--verify-signature", statement, "--key", public, "file://" + dir}, "needs no bucket"},
		{[]string{"--sign", key, "file://" + dir}, "name the manifest with --output"},
		{[]string{"--sign", filepath.Join(keys, "encrypted"), "--output", bag, "file://" + dir}, "the key is encrypted"},
		{[]string{"--key", public, "file://" + dir}, "--key belongs to --verify-signature"},
		{[]string{"--format", "bagit", "file://" + dir}, "name their folder with --output"},
		{[]string{"--format", "md5sum", "--algorithms", "sha256", "file://" + dir}, "has only md5"},
		{[]string{"--format", "zip", "file://" + dir}, "valid are md5sum"},
		{[]string{"file://" + dir, "file://" + keys}, "a manifest is of one bucket"},
		{nil, "no bucket is named"},
	} {
		if _, stderr := manifestRun(t, exitUsage, test.args...); !strings.Contains(stderr, test.err) {
			t.Errorf("manifest %q: standard error lacks %q:\n%s", test.args, test.err, stderr)
		}
	}
}

// TestManifestS3 downloads a bucket with the AWS CLI and checks it with md5sum, and as a bag. Meanwhile it counts which
// objects are read.
func TestManifestS3(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var (
		mu    sync.Mutex
		reads []string
	)
	server := awsenv.StartVersitygw(t).Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if key, ok := strings.CutPrefix(r.URL.Path, "/photos/"); ok && key != "" && r.Method == http.MethodGet && !strings.HasSuffix(key, ".md5") {
			mu.Lock()
			reads = append(reads, key)
			mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
	server.Setenv(t)
	aws := func(args ...string) {
		t.Helper()
		cmd := exec.Command(cli, append([]string{"--endpoint-url", server.URL}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("aws %q: %v\n%s", args, err, out)
		}
	}
	dir := t.TempDir()
	for _, name := range manifestNames {
		manifestPut(t, dir, name, "content of "+name)
	}
	aws("s3", "mb", "s3://photos")
	aws("s3", "sync", "--quiet", dir, "s3://photos")
	bucket := server.BucketURL("photos")
	if status, _, stderr := call(t, nil, "backfill", bucket); status != exitOK {
		t.Fatalf("backfill ends with %d:\n%s", status, stderr)
	}

	mu.Lock()
	reads = nil
	mu.Unlock()
	list, _ := manifestRun(t, exitOK, bucket)
	bag := filepath.Join(t.TempDir(), "bag")
	manifestRun(t, exitOK, "--format", "bagit", "--output", bag, bucket)
	mu.Lock()
	if len(reads) > 0 {
		t.Errorf("manifest has read %q", reads)
	}
	mu.Unlock()

	data := filepath.Join(bag, "data")
	aws("s3", "sync", "--quiet", "--exclude", "*.md5", "s3://photos", data)
	check := exec.Command(coreutils.Path(t, "md5sum"), "--check", "--strict", "--quiet")
	check.Dir, check.Stdin = data, strings.NewReader(list)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("md5sum: %v\n%s%s", err, out, list)
	}
	if n := strings.Count(list, "\n"); n != len(manifestNames) {
		t.Errorf("the manifest has %d lines:\n%s", n, list)
	}
	payload, err := os.ReadFile(filepath.Join(bag, "manifest-md5.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range manifestNames {
		want := sumMD5(t, filepath.Join(data, name)) + "  data/" + strings.NewReplacer("%", "%25", "\n", "%0A").Replace(name) + "\n"
		if !strings.Contains(string(payload), want) {
			t.Errorf("manifest-md5.txt lacks %q", want)
		}
	}

	// The bag itself, in a bucket.
	aws("s3", "mb", "s3://bags")
	aws("s3", "sync", "--quiet", bag, "s3://bags/1/")
	bags := server.BucketURL("bags")
	if status, _, stderr := call(t, nil, "backfill", bags); status != exitOK {
		t.Fatalf("backfill ends with %d:\n%s", status, stderr)
	}
	manifestRun(t, exitOK, "--format", "bagit", "--prefix", "1/", "--strip", "1/", "--output", bag, bags)
	again, err := os.ReadFile(filepath.Join(bag, "manifest-md5.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(payload), string(again)); diff != "" {
		t.Error("the manifest of a bag in a bucket differs from that of the bag:", diff)
	}
}

func sumMD5(t *testing.T, file string) string {
	t.Helper()
	u := (&url.URL{Scheme: "file", Path: file}).String()
	status, stdout, stderr := call(t, nil, "sum", "--zero", u)
	if status != exitOK {
		t.Fatal(stderr)
	}
	return stdout[:32]
}
