package md5sum

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
)

// TestInterruptedIsNoFault: a file that Ctrl-C interrupts is neither done nor a fault on the bar.
func TestInterruptedIsNoFault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	r := newReader(strings.NewReader(""), blobstore.NewMemory(0), nil)
	r.progress = &progress{}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := r.digest(stopped, object{file: file}, []string{"md5"}); err == nil {
		t.Fatal("the file was read")
	}
	if r.progress.files.Load() != 0 || r.progress.faults.Load() != 0 {
		t.Errorf("%d files, %d faults", r.progress.files.Load(), r.progress.faults.Load())
	}
	if _, _, err := r.digest(t.Context(), object{file: file}, []string{"md5"}); err != nil || r.progress.files.Load() != 1 {
		t.Errorf("%v, %d files", err, r.progress.files.Load())
	}
}
