package main

import (
	"bytes"
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

	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// oddNames are file names that are difficult for checksum tools and buckets.
var oddNames = []string{
	"plain", "with space", " leading", "trailing ", "-dash", "'single' \"double\"", `back\slash`, `\n is two characters`,
	"new\nline", "carriage\rreturn", "tab\t", "bell\a", "ünïcödé ☃ 文件", "percent%20", "a+b", "__0x41__", "x.attrs", "..two", "{key}.{alg}",
	"*.glob?[x]", "$(HOME)", "#hash", ".hidden", strings.Repeat("n", 250), "md5", ".md5x", "sub/dir/file", "sub/with space/new\nline",
	"a.md5.txt",
}

var write, sumOf = sample.Write, sample.MD5

// contentOf returns content that only this name has.
func contentOf(name string) []byte {
	return bytes.Repeat([]byte(name+"\x00"), len(name)*37)
}

// filesIn returns the names below dir, without bucketsum's own files.
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

// wantRecords expects in dir the named files, the right record beside each and nothing
// else. md5sum must accept the records.
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
		checkWithMD5sum(t, filepath.Dir(filepath.Join(dir, name)), filepath.Base(name)+".md5")
	}
}

// checkWithMD5sum checks a record with md5sum.
func checkWithMD5sum(t *testing.T, dir, record string) {
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
func startLocal(t *testing.T, dir string, flags ...string) *program.Process {
	t.Helper()
	r := start(t, append([]string{"local", "--listen", "off", "--settle", "100ms", dir}, flags...)...)
	r.Until(1, program.Contains("is the bucket"))
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
	r.Until(len(before)+1, isSummed)
	for _, name := range after {
		write(t, dir, name, contentOf(name))
	}
	temp := t.TempDir()
	write(t, temp, "large", make([]byte, 20<<20))
	// A busy machine may pause in the middle of its write for longer than the settle time: the part would be summed, too.
	if err := os.Rename(filepath.Join(temp, "large"), filepath.Join(dir, "large")); err != nil {
		t.Fatal(err)
	}
	r.Until(len(after)+1, isSummed)
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	all := append([]string{"empty", "large"}, oddNames...)
	wantRecords(t, dir, all)

	again := startLocal(t, dir)
	write(t, dir, "文 last of all", nil) // comes after all others, also if the first scan finds it
	again.Until(1, isSummed)
	if status := again.Stop(syscall.SIGINT); status != exitOK {
		t.Errorf("exit status of the second run is %d", status)
	}
	summary := again.Output()[len(again.Output())-1]
	want := fmt.Sprintf("%d had their checksum", len(all))
	if !strings.HasPrefix(summary, "1 file summed (0 B) since the start ") || !strings.HasSuffix(summary, want) {
		t.Errorf("summary of the second run is %q, want 1 file and %q", summary, want)
	}
}

// TestLocalRewritten expects the record of the final content, although the file is
// rewritten while it is read.
func TestLocalRewritten(t *testing.T) {
	dir := t.TempDir()
	r := startLocal(t, dir, "--settle", "10ms")
	last := []byte("the last content")
	write(t, dir, "f", make([]byte, 64<<20))
	for range 5 {
		write(t, dir, "f", bytes.Repeat([]byte("x"), 8<<20))
	}
	write(t, dir, "f", last)
	r.Until(1, program.Contains(sumOf(last)))
	r.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"f"})
}

// TestLocalHTTP expects the answers of the original service from the HTTP side.
func TestLocalHTTP(t *testing.T) {
	r := start(t, "local", "--listen", "127.0.0.1:0", t.TempDir())
	page, _, _ := strings.Cut(r.Until(1, program.Contains("http://")), " ")
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
	if status := r.Stop(syscall.SIGINT); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}
