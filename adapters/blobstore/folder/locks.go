package folder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Lock implements driver.Bucket. It excludes other goroutines and other processes, by a
// lock on one of 256 files.
func (f *bucket) Lock(ctx context.Context, key string) (func(), error) {
	if err := f.calm.wait(ctx); err != nil {
		return nil, err
	}
	return f.lockNotes(ctx, hash(key)[:2])
}

// lockNotes locks all records whose notes are in one directory.
func (f *bucket) lockNotes(ctx context.Context, dir string) (func(), error) {
	unlock, err := f.locks.Lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	file, err := f.lockFile(filepath.Join(lockDir, dir))
	if err == nil {
		if err = flock(ctx, file); err != nil {
			_ = file.Close() // nothing was written
		}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return func() {
		_ = file.Close() // nothing was written; the lock ends with it
		unlock()
	}, nil
}

func (f *bucket) lockFile(name string) (file *os.File, err error) {
	err = f.inDir(name, "", func() (err error) {
		file, err = f.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if errors.Is(err, fs.ErrPermission) {
			// Another user made it. Nothing is written to it, and most systems
			// lock files that are open for reading.
			file, err = f.root.Open(name)
		}
		return err
	})
	return file, err
}
