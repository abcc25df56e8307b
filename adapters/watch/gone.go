package watch

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// GoneError means that the watched folder is no longer at its path.
type GoneError struct{ Reason string }

func (e *GoneError) Error() string { return "the folder is gone: " + e.Reason }

// checkEvery is how often the folder itself is looked at, if nothing else happens.
const checkEvery = 5 * time.Second

// lookAgain is the interval at which Back looks.
const lookAgain = time.Second

// checkDir returns a GoneError if the folder is no longer there, or is another one. The system
// does not report all ways in which that happens, so that it is called at intervals, too.
func (f *Folder) checkDir() error {
	info, err := os.Lstat(f.dir)
	switch {
	case isGone(err):
		return &GoneError{"it was deleted, moved away or unmounted"}
	case err != nil:
		return &GoneError{err.Error()}
	case os.SameFile(info, f.info):
		return nil
	case f.mount && !isMount(f.dir, info):
		return &GoneError{"its file system was unmounted"}
	}
	return &GoneError{"another folder took its place"}
}

// Back waits until there is a folder again after a [GoneError]. If a file system was mounted
// there, Back waits until one is mounted again: the folder below it is not meant. It returns
// false if ctx ends first.
func (f *Folder) Back(ctx context.Context) bool {
	for {
		info, err := os.Lstat(f.dir)
		if err == nil && info.IsDir() && (!f.mount || isMount(f.dir, info)) {
			return true
		}
		if !backoff.Sleep(ctx, lookAgain) {
			return false
		}
	}
}

// isMount reports whether a folder is on another device than the folder that it is in.
func isMount(dir string, info fs.FileInfo) bool {
	above, err := os.Lstat(filepath.Dir(dir))
	return err == nil && identify(above).device != identify(info).device
}
