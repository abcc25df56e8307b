package md5sum_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestBar expects a bar for work that takes long: below the lines that are printed meanwhile, and gone at the end.
func TestBar(t *testing.T) {
	t.Setenv("TERM", "xterm")
	inFolder(t, map[string]string{"a": "x", "b": "x"})
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	user, program := terminal.Open(t, 100)
	o := md5sum.Options{Algorithms: []string{"md5"}, Concurrency: 1, Memory: blobstore.NewMemory(0)}
	ended := make(chan error)
	go func() {
		err := md5sum.Run(t.Context(), md5sum.Streams{Out: program, Err: program}, &o, []string{"a", "nosuch", "pipe", "b"})
		_, _ = io.WriteString(program, "the end\n")
		ended <- err
	}()
	pipe, err := os.OpenFile("pipe", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Write(make([]byte, 5<<20)); err != nil {
		t.Fatal(err)
	}
	bar := regexp.MustCompile(`2 files, 5\.0 MiB, [0-9.]+ [KMG]iB/s, 1 fault`) // however slow or fast the machine is
	shown := readUntil(t, user, bar.MatchString)
	if before, _, _ := strings.Cut(shown, "2 files"); !strings.HasPrefix(before, md5OfX+"  a\r\nbucketsum sum: nosuch: No such file or directory\r\n") {
		t.Errorf("before the bar: %q", before)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	shown = readUntil(t, user, regexp.MustCompile(`the end\r\n`).MatchString)
	if err := <-ended; !errors.Is(err, md5sum.ErrFailed) {
		t.Error(err)
	}
	if !regexp.MustCompile(`(?s)5f363e0e58a95f06cbe9bbc662c5dfb6  pipe\r\n.*` + md5OfX + `  b\r\n.*\x1b\[Jthe end\r\n$`).MatchString(shown) {
		t.Errorf("at the end: %q", shown)
	}
}

// readUntil returns what a program has written to a terminal when that is as expected.
func readUntil(t *testing.T, user io.Reader, until func(string) bool) string {
	t.Helper()
	var got bytes.Buffer
	for buffer := make([]byte, 4096); !until(got.String()); {
		n, err := user.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buffer[:n])
	}
	return got.String()
}
