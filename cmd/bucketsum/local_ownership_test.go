package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLocalOwnChecksumFiles puts checksum files of a user's own beside files: a right one becomes the record, and a wrong one is
// reported and stays.
func TestLocalOwnChecksumFiles(t *testing.T) {
	dir := t.TempDir()
	const wrong = "00000000000000000000000000000000  wrong\n"
	write(t, dir, "right", []byte("r"))
	write(t, dir, "right.md5", []byte("4B43B0AEE35624CD95B910189B3DC231"))
	write(t, dir, "wrong", []byte("w"))
	write(t, dir, "wrong.md5", []byte(wrong))
	holds := func(name, want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	r := startLocal(t, dir)
	var mismatch string
	r.Until(2, func(line string) bool {
		if strings.HasPrefix(line, "MISMATCH") {
			mismatch = line
		}
		return isSummed(line) || strings.HasPrefix(line, "MISMATCH")
	})
	for _, want := range []string{"\"wrong.md5\", which bucketsum did not write, says md5 00000000000000000000000000000000", "the content has f1290186a5d0b1ceab27f4e77c0c5d68"} {
		if !strings.Contains(mismatch, want) {
			t.Errorf("the report says %q, want %q", mismatch, want)
		}
	}
	holds("right.md5", "4B43B0AEE35624CD95B910189B3DC231")
	write(t, dir, "right", []byte("other"))
	r.Until(1, isSummed)
	holds("right.md5", "795f3202b17cb6bc3d4b771d8c6c9eaf  right\n")
	if status := r.Stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d, want %d", status, exitFailed)
	}
	holds("wrong.md5", wrong)
	if err := os.Remove(filepath.Join(dir, "wrong.md5")); err != nil {
		t.Fatal(err)
	}
	again := startLocal(t, dir)
	again.Until(1, isSummed)
	if status := again.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d, want %d", status, exitOK)
	}
	wantRecords(t, dir, []string{"right", "wrong"})
}
