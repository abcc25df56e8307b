//go:build unix

package folder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// Another process that holds a lock without end must not keep this one from ending.
func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	records := drivertest.OpenFolder(t, dir, blobstore.Config{}).Bucket().Records
	r := drivertest.SumOf("a", "e1", "01")
	if err := pipelinetest.Save(t.Context(), records, r); err != nil {
		t.Fatal(err)
	}
	locks, err := filepath.Glob(filepath.Join(dir, filebucket.Hidden, "locks", "*"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("locks are %q, %v", locks, err)
	}
	file, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := pipelinetest.Remove(ctx, records, r.Source)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), records, r.Source); !removed || err != nil {
		t.Errorf("got %v, %v", removed, err)
	}
}

// The link by which a folder was opened may get another target meanwhile.
func TestLinkIsRetargeted(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	drivertest.WriteFile(t, filepath.Join(first, "a"), "first")
	drivertest.WriteFile(t, filepath.Join(second, "a"), "second")
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	store := drivertest.OpenFolder(t, link, blobstore.Config{})
	if err := errors.Join(os.Remove(link), os.Symlink(second, link)); err != nil {
		t.Fatal(err)
	}
	if got, err := drivertest.Read(t, store, "a"); got != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestInvalidKeys(t *testing.T) {
	b := drivertest.OpenFolder(t, t.TempDir(), blobstore.Config{}).Bucket()
	o := drivertest.SumOf("a\x00b", "e1", "01")
	_, statErr := b.Source.Stat(t.Context(), o.Source)
	_, openErr := b.Source.Open(t.Context(), o.Source)
	_, _, lookupErr := b.Records.Lookup(t.Context(), o.Source)
	_, removeErr := pipelinetest.Remove(t.Context(), b.Records, o.Source)
	for name, err := range map[string]error{"Stat": statErr, "Open": openErr, "Save": pipelinetest.Save(t.Context(), b.Records, o)} {
		if pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("%s: got %v, want a permanent error", name, err)
		}
	}
	// There is no record, so that the object decides.
	if !errors.Is(lookupErr, pipeline.ErrNotFound) || removeErr != nil {
		t.Errorf("Lookup: got %v, want ErrNotFound; Remove: got %v", lookupErr, removeErr)
	}
	// Errors hold no characters that command a terminal.
	_, err := b.Source.Open(t.Context(), drivertest.Object("x\u202egpj.exe"))
	if err == nil || strings.Contains(err.Error(), "\u202e") || !strings.Contains(err.Error(), `\u202e`) {
		t.Errorf("got %q", err)
	}
}
