package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/program"
)

func TestLocalFollowsDeletesAndRenames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"stays", "goes", "old name", "gone/a", "gone/b"} {
		write(t, dir, name, contentOf(name))
	}
	r := startLocal(t, dir)
	r.Until(5, isSummed)
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
	r.Until(2, func(line string) bool { // of the new name and the removal of the old; gone/ took its records along
		fresh := strings.HasSuffix(line, "  new name") && isSummed(line) ||
			strings.HasPrefix(line, "record removed") && (strings.HasSuffix(line, "  goes") || strings.HasSuffix(line, "  old name"))
		if fresh && !seen[line] {
			seen[line] = true
			return len(seen) >= 2
		}
		return false
	})
	r.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"new name", "stays"})
}

// TestLocalDeletedMeanwhile expects that the next start removes the record of a file that
// was deleted while no process watched.
func TestLocalDeletedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "stays", []byte("s"))
	write(t, dir, "goes", []byte("g"))
	r := startLocal(t, dir)
	r.Until(2, isSummed)
	r.Stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	again := startLocal(t, dir)
	again.Until(1, program.Contains("record removed"))
	again.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"stays"})
}

func TestLocalKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "goes", []byte("g"))
	r := startLocal(t, dir, "--on-delete", "keep")
	r.Until(1, isSummed)
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "next", nil) // comes after the deletion
	r.Until(1, isSummed)
	r.Stop(syscall.SIGTERM)
	if diff := cmp.Diff([]string{"goes.md5", "next", "next.md5"}, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestLocalForeignRecord expects that a user's file in the place of a record is reported
// and not changed.
func TestLocalForeignRecord(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.md5", []byte("my own notes\n"))
	write(t, dir, "x", []byte("x"))
	r := startLocal(t, dir)
	line := r.Until(1, program.Contains("FAILED"))
	if !strings.Contains(line, "x.md5") || !strings.Contains(line, "--record") {
		t.Errorf("the line does not say what to do: %q", line)
	}
	if status := r.Stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("exit status is %d", status)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "x.md5")); err != nil || string(content) != "my own notes\n" {
		t.Errorf("the user's file is now %q, %v", content, err)
	}
}

func TestLocalLayoutAndAlgorithms(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "top", []byte("t"))
	write(t, dir, "sub/f", []byte("f"))
	write(t, dir, "sub/skipped.tmp", []byte("f"))
	r := startLocal(t, dir, "--record", "{dir}/.sums/{base}.{alg}", "--algorithms", "sha256,md5", "--exclude", "**/*.tmp")
	r.Until(2, func(line string) bool { return regexp.MustCompile(`^sha256  [0-9a-f]{64}  .*B `).MatchString(line) })
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	want := []string{".sums/top.md5", ".sums/top.sha256", "sub/.sums/f.md5", "sub/.sums/f.sha256", "sub/f", "sub/skipped.tmp", "top"}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// sha256sum checks a record of --algorithms sha256 with sha256sum.
func sha256sum(t *testing.T, dir, record string) {
	t.Helper()
	if tool, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(tool, "--strict", "-c", "--", record)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum -c %q: %v\n%s", record, err, out)
		}
	}
}

// TestLocalAlgorithmsChange expects that no outdated record stays when --algorithms
// changes.
func TestLocalAlgorithmsChange(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"changed", "deleted", "same", "changed later", "excluded"} {
		write(t, dir, name, []byte(name))
	}
	r := startLocal(t, dir)
	r.Until(5, isSummed)
	r.Stop(syscall.SIGTERM)
	write(t, dir, "changed", []byte("other"))
	if err := os.Remove(filepath.Join(dir, "deleted")); err != nil {
		t.Fatal(err)
	}
	isSHA256 := func(line string) bool { return regexp.MustCompile(`^(sha256  )?[0-9a-f]{64}  .*B `).MatchString(line) }
	again := startLocal(t, dir, "--algorithms", "sha256")
	summed, removed := 0, false
	again.Until(1, func(line string) bool {
		removed = removed || strings.HasPrefix(line, "record removed")
		if isSHA256(line) {
			summed++
		}
		return summed == 4 && removed
	})
	write(t, dir, "changed later", []byte("other"))
	again.Until(1, isSHA256)
	again.Stop(syscall.SIGTERM)

	write(t, dir, "excluded", []byte("other"))
	last := startLocal(t, dir, "--algorithms", "sha256,md5", "--exclude", "excluded")
	summed, removed = 0, false
	last.Until(1, func(line string) bool {
		removed = removed || strings.HasPrefix(line, "record removed") && strings.HasSuffix(line, "  excluded")
		if isSHA256(line) {
			summed++
		}
		return summed == 2 && removed
	})
	last.Stop(syscall.SIGTERM)
	want := []string{"changed", "changed later", "changed later.md5", "changed later.sha256", "changed.md5", "changed.sha256", "excluded", "same", "same.md5", "same.sha256"}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	for _, name := range []string{"changed", "changed later", "same"} {
		checkWithMD5sum(t, dir, name+".md5")
		sha256sum(t, dir, name+".sha256")
	}
}

// TestLocalLayoutChanges expects that records of another layout are not summed, and that
// they are current when the layout changes back.
func TestLocalLayoutChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", []byte("a"))
	for range 2 {
		for _, layout := range []string{"{key}.{alg}", "checksums/{key}.{alg}"} {
			r := startLocal(t, dir, "--record", layout)
			write(t, dir, "last", []byte(layout))
			r.Until(1, func(line string) bool { return isSummed(line) && strings.HasSuffix(line, "  last") })
			if status := r.Stop(syscall.SIGTERM); status != exitOK {
				t.Errorf("%s: exit status is %d", layout, status)
			}
			for _, line := range r.Output() {
				if strings.HasPrefix(line, "record removed") || isSummed(line) && strings.Contains(line, ".md5") {
					t.Errorf("%s: %s", layout, line)
				}
			}
		}
	}
	want := []string{"a", "a.md5", "checksums/a.md5", "checksums/last.md5", "last", "last.md5"}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestLocalSameTimeAndSize expects the record of the current content, although the old
// content had the same time and size.
func TestLocalSameTimeAndSize(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_000_000_000, 0)
	put := func(name, content string) {
		t.Helper()
		temp := filepath.Join(t.TempDir(), "temp")
		if err := errors.Join(os.WriteFile(temp, []byte(content), 0o666), os.Chtimes(temp, at, at), os.Rename(temp, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	put("running", "one")
	put("stopped", "one")
	r := startLocal(t, dir)
	r.Until(2, isSummed)
	put("running", "two")
	r.Until(1, program.Contains(sumOf([]byte("two"))))
	r.Stop(syscall.SIGTERM)
	put("stopped", "two")
	again := startLocal(t, dir)
	again.Until(1, program.Contains(sumOf([]byte("two"))))
	again.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"running", "stopped"})
}

// TestLocalRecordComesBack expects that the running command restores a record that the
// user changes or deletes, and writes one when the user's own file or folder in its place is gone.
func TestLocalRecordComesBack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.md5", []byte("my own notes\n"))
	write(t, dir, "x", []byte("x"))
	write(t, dir, "w", []byte("w"))
	if err := os.Mkdir(filepath.Join(dir, "w.md5"), 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "y", []byte("y"))
	r := startLocal(t, dir)
	failed, summed := make(map[string]bool), false
	r.Until(1, func(line string) bool {
		if name, is := strings.CutPrefix(line, "FAILED  "); is {
			failed[name[:1]] = true
		}
		summed = summed || isSummed(line)
		return failed["w"] && failed["x"] && summed
	})
	if err := os.Remove(filepath.Join(dir, "w.md5")); err != nil {
		t.Fatal(err)
	}
	r.Until(1, func(line string) bool { return isSummed(line) && strings.HasSuffix(line, "  w") })
	if err := os.Rename(filepath.Join(dir, "x.md5"), filepath.Join(t.TempDir(), "mine")); err != nil {
		t.Fatal(err)
	}
	r.Until(1, func(line string) bool { return isSummed(line) && strings.HasSuffix(line, "  x") })
	if err := os.Remove(filepath.Join(dir, "y.md5")); err != nil {
		t.Fatal(err)
	}
	r.Until(1, func(line string) bool { return isSummed(line) && strings.HasSuffix(line, "  y") })
	write(t, dir, "z", nil)
	r.Until(1, isSummed)
	r.Stop(syscall.SIGTERM)
	wantRecords(t, dir, []string{"w", "x", "y", "z"})
	if got := len(slices.DeleteFunc(r.Output(), func(line string) bool { return !isSummed(line) })); got != 5 {
		t.Errorf("%d files were summed, want w, x, z and y twice", got)
	}
}
