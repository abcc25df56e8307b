package report

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Failing knows the files that have no checksum now because something failed. What was
// put right or is gone fails no longer. Safe for concurrent use.
type Failing struct {
	Activity   *live.Activity
	Layout     blobstore.Layout
	Bucket     string
	Algorithms []string

	mu    sync.Mutex
	files map[string]Failure
	next  int
	tried map[string]bool // files that are told to be tried again
}

// Failure is why a file has no checksum.
type Failure struct {
	Key, Reason string
	Mismatch    bool // the content is not what a file of the user says
	number      int  // in the order of time
}

// Head is the word that a line about the failure begins with.
func (f Failure) Head() string {
	if f.Mismatch {
		return "MISMATCH"
	}
	return "FAILED"
}

// Add notes a failure.
func (f *Failing) Add(e Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tried, e.Key)
	if f.files == nil {
		f.files = make(map[string]Failure)
	}
	was, known := f.files[e.Key]
	f.next++
	e.number, e.Reason = f.next, readable.Cut(e.Reason, 1000)
	f.files[e.Key] = e
	if known {
		f.takeBack(pipeline.Object{}, was)
	}
}

// takeBack takes a failure out of the totals.
func (f *Failing) takeBack(o pipeline.Object, was Failure) {
	mismatched := int64(0)
	if was.Mismatch {
		mismatched = 1
	}
	f.Activity.Mended(o, 1, mismatched)
}

// Mended notes that a file fails no longer.
func (f *Failing) Mended(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tried, key)
	if was, known := f.files[key]; known {
		delete(f.files, key)
		f.takeBack(pipeline.Object{Bucket: f.Bucket, Key: key}, was)
	}
}

// Reset forgets everything: the folder is looked at from the start.
func (f *Failing) Reset() {
	f.mu.Lock()
	keys := slices.Collect(maps.Keys(f.files))
	clear(f.tried)
	f.mu.Unlock()
	for _, key := range keys {
		f.Mended(key)
	}
}

// Again notes that a file failed and is tried again. It reports whether that is new.
func (f *Failing) Again(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tried[key] {
		return false
	}
	if f.tried == nil {
		f.tried = make(map[string]bool)
	}
	f.tried[key] = true
	return true
}

// List returns the failures, the newest first, and how many are mismatches.
func (f *Failing) List() (all []Failure, mismatches int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all = slices.SortedFunc(maps.Values(f.files), func(a, b Failure) int { return cmp.Compare(b.number, a.number) })
	for _, e := range all {
		if e.Mismatch {
			mismatches++
		}
	}
	return all, mismatches
}

// Reason returns one sentence about an error of a file.
func (f *Failing) Reason(key string, err error) string {
	if c, ok := errors.AsType[*pipeline.ContradictionError](err); ok {
		return c.Error()
	}
	denied, _ := errors.AsType[*fs.PathError](err)
	refused, _ := errors.AsType[*folder.RefusedError](err)
	switch {
	case refused != nil && refused.Dir != "": // the system reports no change of a file when that is put right
		return refused.Error() + "; when it may, touch the file, or retry it on the page"
	case refused != nil:
		return refused.Error()
	case errors.Is(err, syscall.ENAMETOOLONG):
		record := ""
		for _, alg := range f.Algorithms {
			if r := path.Base(f.Layout.RecordKey(key, alg)); len(r) > len(record) {
				record = r
			}
		}
		if len(record) <= 255 {
			break // the whole path is too long
		}
		return fmt.Sprintf("the name of its record would have %d bytes, which is more than the file system allows: give the file a shorter name, or use --record 'checksums/{alg}/{key}'", len(record))
	case errors.Is(err, fs.ErrPermission) && denied != nil:
		return fmt.Sprintf("permission denied: this user may not write its record (%s %s)", denied.Op, denied.Path)
	}
	return err.Error()
}
