package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// List implements driver.Bucket.
func (f *Bucket) List(ctx context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	if l.Skip == nil {
		l.Skip = func(string) bool { return false }
	}
	return func(yield func(driver.Entry, error) bool) {
		f.walk(ctx, l.Prefix, l, yield)
	}
}

// walk yields the files below a directory, whose key is empty for the folder
// itself and else ends with a slash. It reports whether to go on.
func (f *Bucket) walk(ctx context.Context, dir string, l driver.Listing, yield func(driver.Entry, error) bool) bool {
	names, err := f.names(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return true // removed since its parent was read
	}
	if err != nil && !yield(driver.Entry{Key: dir}, fmt.Errorf("the folder cannot be read: %w", err)) {
		return false
	}
	if _, inner := slices.BinarySearch(names, filebucket.Hidden+"/"); inner && dir != "" && f.isBucket(dir) {
		return yield(driver.Entry{Key: dir}, fmt.Errorf("it is a bucket of its own: %w", pipeline.ErrFiltered))
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			yield(driver.Entry{}, err)
			return false
		}
		key := dir + name
		if filebucket.IsHidden(key) {
			continue
		}
		if name[len(name)-1] == '/' {
			if !f.walk(ctx, key, l, yield) {
				return false
			}
			continue
		}
		if l.Skip(key) {
			continue
		}
		if e, ok, err := f.entry(ctx, key); ok && !yield(e, err) {
			return false
		}
	}
	return true
}

// isBucket reports whether a directory, whose key ends with a slash, has notes of
// its own.
func (f *Bucket) isBucket(dir string) bool {
	info, err := f.root.Lstat(filepath.Join(filepath.FromSlash(dir), noteDir))
	return err == nil && info.IsDir()
}

// names returns the names in a directory, those of directories with a slash, in
// the lexical order of the keys that they are part of. With an error it returns
// those that could be read.
func (f *Bucket) names(dir string) ([]string, error) {
	file, err := f.root.Open(filepath.Join(".", filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := file.ReadDir(-1)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
		if e.IsDir() {
			names[i] += "/"
		}
	}
	slices.Sort(names)
	return names, err
}

// entry returns a file as it is listed. It is not ok if there is nothing to tell.
func (f *Bucket) entry(ctx context.Context, key string) (e driver.Entry, ok bool, err error) {
	e.Key = key
	if err := f.Check(key); err != nil {
		return e, true, err
	}
	if e.State, err = f.Stat(ctx, key); errors.Is(err, pipeline.ErrNotFound) {
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
	return e, true, err
}
