package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func (f *bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	wanted := func(key string) bool {
		key = l.Prefix + key
		if strings.HasSuffix(key, "/") {
			return mayHold(l.Range, key)
		}
		return l.Range.Contains(key) && (l.Skip == nil || !l.Skip(key))
	}
	return func(yield func(driver.Entry, error) bool) {
		// All errors were yielded; this one only ended the walk.
		_ = filebucket.WalkOnly(f.openDir(l.Prefix), wanted, func(e filebucket.Entry) error {
			key := l.Prefix + e.Key
			switch {
			case ctx.Err() != nil:
				yield(driver.Entry{}, ctx.Err())
				return fs.SkipAll
			case e.Type.IsDir():
				return f.listDir(l, key, e, yield)
			}
			if listed, ok, err := f.entry(key, l.KeysOnly); ok && !yield(listed, err) {
				return fs.SkipAll
			}
			return nil
		})
	}
}

// mayHold reports whether a directory may have files in it whose keys are in a range.
func mayHold(r sweep.Range, dir string) bool {
	return (dir > r.After || strings.HasPrefix(r.After, dir)) && (r.Through == "" || dir <= r.Through)
}

// openDir returns a function that opens the folders in a folder, for filebucket.Walk.
func (f *bucket) openDir(above string) func(key string) (*os.File, error) {
	return func(key string) (*os.File, error) {
		return f.root.Open(filepath.Join(".", filepath.FromSlash(above+key)))
	}
}

// listDir yields why a directory is not listed completely, also if only some of its files are in the range.
func (f *bucket) listDir(l driver.Listing, key string, e filebucket.Entry, yield func(driver.Entry, error) bool) error {
	if errors.Is(e.Err, fs.ErrNotExist) && key != "" {
		return fs.SkipDir // removed since its parent was read
	}
	if e.Err != nil && !yield(driver.Entry{Key: key}, fmt.Errorf("the folder cannot be read: %w", e.Err)) {
		return fs.SkipAll
	}
	if !e.HasHidden || key == "" || !f.isBucket(key) {
		return nil
	}
	if l.Range.Contains(key) && !yield(driver.Entry{Key: key}, fmt.Errorf("it is a bucket of its own: %w", pipeline.ErrFiltered)) {
		return fs.SkipAll
	}
	return fs.SkipDir
}

// isBucket reports whether a directory has notes of its own, also if they are closed to this user. Its
// key ends with a slash.
func (f *bucket) isBucket(dir string) bool {
	info, err := f.root.Lstat(filepath.Join(filepath.FromSlash(dir), noteDir))
	return err == nil && info.IsDir() || errors.Is(err, fs.ErrPermission)
}

// entry returns the entry of a file. It returns false for what is not listed.
func (f *bucket) entry(key string, keyOnly bool) (e driver.Entry, ok bool, err error) {
	e.Key = key
	if driver.Reserved(key) != "" {
		info, err := f.root.Lstat(filepath.FromSlash(key))
		if err != nil {
			return e, false, nil // removed since the directory was read
		}
		e.Modified = info.ModTime()
		return e, true, nil
	}
	if err := f.Check(key); err != nil || keyOnly {
		return e, true, err
	}
	version, err := f.version(key)
	if errors.Is(err, pipeline.ErrNotFound) {
		link, gone := f.root.Lstat(filepath.FromSlash(key))
		switch {
		case gone != nil:
			return e, false, nil // removed since the directory was read
		case link.Mode().Type() == fs.ModeSymlink:
			if info, err := f.root.Stat(filepath.FromSlash(key)); err == nil && info.IsDir() {
				return e, false, nil
			}
		}
	}
	if err == nil {
		e.State, e.Modified = stateOf(version), time.Unix(0, version.Modified)
	}
	return e, true, err
}
