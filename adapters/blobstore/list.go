package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// list implements contents.
func (f *folder) list(ctx context.Context, skip func(string) bool, onlyKeys bool) iter.Seq2[pipeline.Object, error] {
	entry := f.entry
	if onlyKeys {
		entry = func(_ context.Context, key string) (pipeline.Object, bool, error) {
			return pipeline.Object{Key: key}, true, f.check(key)
		}
	}
	return func(yield func(pipeline.Object, error) bool) {
		f.walk(ctx, "", skip, entry, yield)
	}
}

// entryFunc returns the object of a file that was listed. It is not ok if there
// is none to tell of.
type entryFunc func(ctx context.Context, key string) (o pipeline.Object, ok bool, err error)

// walk yields the files below a directory, whose key is empty for the folder
// itself and else ends with a slash. It reports whether to go on.
func (f *folder) walk(ctx context.Context, dir string, skip func(string) bool, entry entryFunc, yield func(pipeline.Object, error) bool) bool {
	names, err := f.names(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return true // removed since its parent was read
	}
	if err != nil && !yield(pipeline.Object{Key: dir}, fmt.Errorf("the folder cannot be read: %w", err)) {
		return false
	}
	if _, inner := slices.BinarySearch(names, filebucket.Hidden+"/"); inner && dir != "" && f.isBucket(dir) {
		return yield(pipeline.Object{Key: dir}, fmt.Errorf("it is a bucket of its own: %w", pipeline.ErrFiltered))
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			yield(pipeline.Object{}, err)
			return false
		}
		key := dir + name
		if f.files.reserved(key) {
			continue
		}
		if name[len(name)-1] == '/' {
			if !f.walk(ctx, key, skip, entry, yield) {
				return false
			}
			continue
		}
		if skip(key) {
			continue
		}
		if o, ok, err := entry(ctx, key); ok && !yield(o, err) {
			return false
		}
	}
	return true
}

// isBucket reports whether a directory, whose key ends with a slash, has notes of
// its own.
func (f *folder) isBucket(dir string) bool {
	info, err := f.root.Lstat(filepath.Join(filepath.FromSlash(dir), noteDir))
	return err == nil && info.IsDir()
}

// names returns the names in a directory, those of directories with a slash, in
// the lexical order of the keys that they are part of. With an error it returns
// those that could be read.
func (f *folder) names(dir string) ([]string, error) {
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

// entry is an entryFunc that looks at the file.
func (f *folder) entry(ctx context.Context, key string) (o pipeline.Object, ok bool, err error) {
	o.Key = key
	if err := f.check(key); err != nil {
		return o, true, err
	}
	s, err := f.stat(ctx, key)
	if err == nil {
		o.ETag, o.Size = s.etag, s.size
		return o, true, nil
	}
	if errors.Is(err, pipeline.ErrOwnRecord) {
		return o, false, nil // by another layout
	}
	if errors.Is(err, pipeline.ErrNotFound) {
		link, gone := f.root.Lstat(filepath.FromSlash(key))
		switch {
		case gone != nil:
			return o, false, nil // removed since the directory was read
		case link.Mode().Type() == fs.ModeSymlink:
			if info, err := f.root.Stat(filepath.FromSlash(key)); err == nil && info.IsDir() {
				return o, false, nil
			}
		}
	}
	return o, true, err
}
