package folder

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// cleanUp removes temporary files, unfinished uploads, and the notes of records whose file and object are
// gone.
func (f *bucket) cleanUp(ctx context.Context, r driver.Records) error {
	return errors.Join(f.removeTemps(time.Time{}), f.removeUploads(), f.removeNotes(ctx, r))
}

// tempAge is the age of a temporary file that no live process has: a write takes seconds at most. The write of a process that was
// stopped for so long fails, and its retry succeeds.
const tempAge = time.Hour

// removeTemps removes the temporary files that were written before a time; with a zero one, all.
func (f *bucket) removeTemps(before time.Time) error {
	names, err := f.entries(tempDir)
	errs := []error{err}
	for _, name := range names {
		name = filepath.Join(tempDir, name)
		info, err := f.root.Lstat(name)
		if err == nil && (before.IsZero() || info.ModTime().Before(before)) {
			err = f.root.Remove(name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeNotes removes the notes of records whose file and object are gone. As there may
// be very many notes, it compares their names with those that the files in the folder
// would have, and opens only notes without a file.
func (f *bucket) removeNotes(ctx context.Context, r driver.Records) error {
	dirs, err := f.entries(noteDir)
	if len(dirs) == 0 || err != nil {
		return err
	}
	there, err := f.hashNames(ctx, r.Possible)
	if err != nil {
		return ctx.Err() // a file that could not be listed may exist
	}
	var errs []error
	for _, d := range dirs {
		dir := filepath.Join(noteDir, d)
		notes, err := f.entries(dir)
		errs = append(errs, err)
		notes = slices.DeleteFunc(notes, func(name string) bool {
			id, ok := noteID(d + strings.TrimSuffix(name, ".json"))
			_, has := there[id]
			return !ok || has
		})
		if len(notes) > 0 {
			errs = append(errs, f.removeOrphans(ctx, dir, notes, r))
		}
	}
	return errors.Join(errs...)
}

// removeOrphans removes those of the notes in a directory whose record and object are
// gone. All notes in a directory have the same lock.
func (f *bucket) removeOrphans(ctx context.Context, dir string, notes []string, r driver.Records) error {
	unlock, err := f.lockNotes(ctx, filepath.Base(dir))
	if err != nil {
		return err
	}
	defer unlock()
	gone := func(key string) bool {
		_, err := f.root.Lstat(filepath.FromSlash(key))
		return err != nil && isNotFound(err)
	}
	var errs []error
	for _, name := range notes {
		name = filepath.Join(dir, name)
		data, _, err := f.readFile(name, noteLimit)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		n := parseNote(data)
		object := r.Source(n.Key, n.Metadata)
		if n.Key != "" && noteName(n.Key) == name && gone(n.Key) && (object == "" || gone(object)) {
			errs = append(errs, f.forget(n.Key))
		}
	}
	return errors.Join(errs...)
}

// hashNames returns the ids of the notes that the files in the folder would have if they
// were records.
func (f *bucket) hashNames(ctx context.Context, possible func(key string) bool) (map[uint64]struct{}, error) {
	names := make(map[uint64]struct{})
	err := filebucket.Walk(f.openDir(""), func(e filebucket.Entry) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(e.Err, fs.ErrNotExist) && e.Key != "":
			return nil // removed since its parent was read
		case e.Err != nil:
			return e.Err
		case e.Type.IsDir() || !possible(e.Key):
		default:
			if id, ok := noteID(hash(e.Key)); ok {
				names[id] = struct{}{}
			}
		}
		return nil
	})
	return names, err
}

// noteID returns the first 8 bytes of a hash, to save memory. If those of two hashes are
// the same, a note stays that could be removed.
func noteID(hash string) (uint64, bool) {
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// entries returns the names in a directory; none if the directory does not exist.
func (f *bucket) entries(dir string) ([]string, error) {
	d, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}
