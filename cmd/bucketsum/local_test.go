package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oddNames are file names that checksum tools and buckets have trouble with.
var oddNames = []string{
	"plain", "with space", " leading", "trailing ", "-dash", "'single' \"double\"", `back\slash`, `\n is two characters`,
	"new\nline", "carriage\rreturn", "tab\t", "bell\a", "ünïcödé ☃ 文件", "percent%20", "a+b", "__0x41__", "x.attrs", "..two", "{key}.{alg}",
	"*.glob?[x]", "$(HOME)", "#hash", ".hidden", strings.Repeat("n", 250), "md5", ".md5x", "sub/dir/file", "sub/with space/new\nline",
	"a.md5.txt",
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// contentOf returns a content that no other name has.
func contentOf(name string) []byte {
	return bytes.Repeat([]byte(name+"\x00"), len(name)*37)
}

func sumOf(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

// filesIn returns the names below dir, those of bucketsum's own excepted.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.Name() == ".bucketsum" {
			return filepath.SkipDir
		}
		if !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wantRecords asks that dir holds the named files, one right record beside
// each, and nothing else, and that md5sum agrees.
func wantRecords(t *testing.T, dir string, names []string) {
	t.Helper()
	want := make([]string, 0, 2*len(names))
	for _, name := range names {
		want = append(want, name, name+".md5")
	}
	slices.Sort(want)
	got := filesIn(t, dir)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		line, err := os.ReadFile(filepath.Join(dir, name+".md5"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(strings.TrimPrefix(string(line), `\`), sumOf(content)+"  ") {
			t.Errorf("record of %q is %q, want the sum %s", name, line, sumOf(content))
		}
		md5sum(t, filepath.Dir(filepath.Join(dir, name)), filepath.Base(name)+".md5")
	}
}

// md5sum checks a record as its user would.
func md5sum(t *testing.T, dir, record string) {
	t.Helper()
	tool, err := exec.LookPath("md5sum")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("md5sum is missing")
		}
		return // the sum was compared above
	}
	cmd := exec.Command(tool, "--strict", "-c", "--", record)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("md5sum -c %q: %v\n%s", record, err, out)
	}
}

// startLocal runs the local command on dir and waits until it watches.
func startLocal(t *testing.T, dir string, flags ...string) *running {
	t.Helper()
	r := start(t, append([]string{"local", "--listen", "off", "--settle", "100ms", dir}, flags...)...)
	r.until(1, contains("is the bucket"))
	return r
}

func isSummed(line string) bool { return summedLine.MatchString(line) }

var summedLine = regexp.MustCompile(`^[0-9a-f]{32}  .*B `)

func TestLocalSumsWhatLands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in", "box") // made by bucketsum
	before, after := oddNames[:10], oddNames[10:]
	for _, name := range before {
		write(t, dir, name, contentOf(name))
	}
	write(t, dir, "empty", nil)
	r := startLocal(t, dir)
	r.until(len(before)+1, isSummed)
	for _, name := range after {
		write(t, dir, name, contentOf(name))
	}
	write(t, dir, "large", make([]byte, 20<<20))
	r.until(len(after)+1, isSummed)
	if status := r.stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	all := append([]string{"empty", "large"}, oddNames...)
	wantRecords(t, dir, all)

	again := startLocal(t, dir)
	write(t, dir, "one more", nil)
	again.until(1, isSummed)
	if status := again.stop(syscall.SIGINT); status != exitOK {
		t.Errorf("exit status of the second run is %d", status)
	}
	summary := again.output()[len(again.output())-1]
	want := fmt.Sprintf("%d had their checksum", len(all))
	if !strings.HasPrefix(summary, "1 file summed (0 B) in ") || !strings.HasSuffix(summary, want) {
		t.Errorf("summary of the second run is %q, want 1 file and %q", summary, want)
	}
}

// TestLocalRewritten asks for the record of the final content, also when the
// file is rewritten while it is read.
func TestLocalRewritten(t *testing.T) {
	dir := t.TempDir()
	r := startLocal(t, dir, "--settle", "10ms")
	last := []byte("the last content")
	write(t, dir, "f", make([]byte, 64<<20))
	for range 5 {
		write(t, dir, "f", bytes.Repeat([]byte("x"), 8<<20))
	}
	write(t, dir, "f", last)
	r.until(1, contains(sumOf(last)))
	r.stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"f"})
}

func TestLocalFollowsDeletesAndRenames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"stays", "goes", "old name", "gone/a", "gone/b"} {
		write(t, dir, name, contentOf(name))
	}
	r := startLocal(t, dir)
	r.until(5, isSummed)
	for _, err := range []error{
		os.Remove(filepath.Join(dir, "goes")),
		os.RemoveAll(filepath.Join(dir, "gone")),
		os.Rename(filepath.Join(dir, "old name"), filepath.Join(dir, "new name")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]bool)
	r.until(2, func(line string) bool { // of the new name and the removal of the old; gone/ took its records along
		fresh := strings.HasSuffix(line, "  new name") && isSummed(line) ||
			strings.HasPrefix(line, "record removed") && (strings.HasSuffix(line, "  goes") || strings.HasSuffix(line, "  old name"))
		if fresh && !seen[line] {
			seen[line] = true
			return len(seen) >= 2
		}
		return false
	})
	r.stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"new name", "stays"})
}

// TestLocalDeletedMeanwhile asks that a file deleted while nobody looked
// leaves no record behind.
func TestLocalDeletedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "stays", []byte("s"))
	write(t, dir, "goes", []byte("g"))
	r := startLocal(t, dir)
	r.until(2, isSummed)
	r.stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	again := startLocal(t, dir)
	again.until(1, contains("record removed"))
	again.stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"stays"})
}

func TestLocalKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "goes", []byte("g"))
	r := startLocal(t, dir, "--on-delete", "keep")
	r.until(1, isSummed)
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "next", nil) // comes after the deletion
	r.until(1, isSummed)
	r.stop(syscall.SIGTERM)
	if diff := cmp.Diff([]string{"goes.md5", "next", "next.md5"}, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestLocalKilled kills the process in the middle and asks the next one to
// finish the work.
func TestLocalKilled(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i := range 300 {
		name := fmt.Sprintf("d%d/file %d", i%7, i)
		names = append(names, name)
		write(t, dir, name, bytes.Repeat([]byte(name), i*97))
	}
	for range 2 {
		r := startLocal(t, dir)
		r.until(80, isSummed)
		r.stop(syscall.SIGKILL)
	}
	r := startLocal(t, dir)
	write(t, dir, "last", nil)
	names = append(names, "last")
	r.until(1, func(string) bool { return len(recordsIn(t, dir)) == len(names) })
	if status := r.stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	wantRecords(t, dir, names)
	left, err := os.ReadDir(filepath.Join(dir, ".bucketsum", "tmp"))
	if err != nil && !os.IsNotExist(err) || len(left) > 0 {
		t.Errorf("half-written files are left: %v, %v", left, err)
	}
}

func recordsIn(t *testing.T, dir string) []string {
	return slices.DeleteFunc(filesIn(t, dir), func(name string) bool { return !strings.HasSuffix(name, ".md5") })
}

// TestLocalStopped stops the process in the middle: what is there is whole,
// and the next start does the rest.
func TestLocalStopped(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("file %d", i)
		names = append(names, name)
		write(t, dir, name, bytes.Repeat([]byte(name), 1<<16))
	}
	r := startLocal(t, dir)
	r.until(20, isSummed)
	if status := r.stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	for _, record := range recordsIn(t, dir) {
		md5sum(t, dir, record)
	}
	again := startLocal(t, dir)
	again.until(1, func(string) bool { return len(recordsIn(t, dir)) == len(names) })
	again.stop(syscall.SIGTERM)
	wantRecords(t, dir, names)
}

// TestLocalForeignRecord asks that a user's own file is left alone, and said.
func TestLocalForeignRecord(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.md5", []byte("my own notes\n"))
	write(t, dir, "x", []byte("x"))
	r := startLocal(t, dir)
	line := r.until(1, contains("FAILED"))
	if !strings.Contains(line, "x.md5") || !strings.Contains(line, "--record") {
		t.Errorf("the line does not say what to do: %q", line)
	}
	if status := r.stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d", status)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "x.md5")); err != nil || string(content) != "my own notes\n" {
		t.Errorf("the user's file is now %q, %v", content, err)
	}
}

// TestLocalNoFiles asks that what is no file neither blocks nor is summed, and
// that a name which no event can carry is named.
func TestLocalNoFiles(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, filepath.Dir(outside), "outside", []byte("secret"))
	for _, err := range []error{
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666),
		os.Symlink(outside, filepath.Join(dir, "link out")),
		os.Symlink(".", filepath.Join(dir, "loop")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o777),
		os.WriteFile(filepath.Join(dir, "not\xffutf8"), nil, 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := startLocal(t, dir)
	write(t, dir, "file", nil)
	failed := false
	r.until(1, func(line string) bool {
		failed = failed || strings.Contains(line, "FAILED") && strings.Contains(line, `not\xffutf8`)
		return isSummed(line)
	})
	if !failed {
		t.Error("the name that is not UTF-8 was passed over")
	}
	if status := r.stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d", status)
	}
	if got := recordsIn(t, dir); !slices.Equal(got, []string{"file.md5"}) {
		t.Errorf("records are %q", got)
	}
}

func TestLocalLayoutAndAlgorithms(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "top", []byte("t"))
	write(t, dir, "sub/f", []byte("f"))
	write(t, dir, "sub/skipped.tmp", []byte("f"))
	r := startLocal(t, dir, "--record", "{dir}/.sums/{base}.{alg}", "--algorithms", "sha256,md5", "--exclude", "**/*.tmp")
	r.until(2, func(line string) bool { return regexp.MustCompile(`^[0-9a-f]{64}  `).MatchString(line) })
	if status := r.stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	want := []string{".sums/top.md5", ".sums/top.sha256", "sub/.sums/f.md5", "sub/.sums/f.sha256", "sub/f", "sub/skipped.tmp", "top"}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestLocalHTTP asks the HTTP side for what the original service answered.
func TestLocalHTTP(t *testing.T) {
	r := start(t, "local", "--listen", "127.0.0.1:0", t.TempDir())
	page, _, _ := strings.Cut(r.until(1, contains("http://")), " ")
	for field, want := range map[string]string{
		"file":  `{"md5_checksum":"` + sumOf([]byte("content")) + `"}`,
		"other": `{"error":"No file part in the request"}`,
	} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile(field, "name")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(part, "content")
		form.Close()
		response, err := http.Post(page+"md5", form.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		answer, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if err := json.Unmarshal(answer, &got); err != nil || strings.TrimSpace(string(answer)) != want {
			t.Errorf("POST /md5 with field %s: %s, want %s", field, answer, want)
		}
	}
	response, err := http.Get(page + "health")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("GET /health: %s", response.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	if status := r.stop(syscall.SIGINT); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// TestLocalFolderGone asks that the process ends and says why when there is
// nothing to watch any more.
func TestLocalFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inbox")
	r := startLocal(t, dir)
	write(t, dir, "f", nil)
	r.until(1, isSummed)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r.until(1, contains("deleted or moved away"))
	for range r.lines { // to the end
	}
	<-r.ended
	if status := r.cmd.ProcessState.ExitCode(); status != exitFailed {
		t.Errorf("exit status is %d", status)
	}
}
