package folder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// Get, Put and Delete store a record as a file. Its metadata is in a note below
// .bucketsum, together with the content of the file and its previous content. A file
// with other content and without the mark is the user's own.
//
// Put writes the note first. If the process dies before the file is written, the file is
// the old one, which the previous content in the note shows, or it is missing. Both files
// appear with all of their content or not at all, and are on the disk when Put returns, with
// the directories that they are in. A blob without metadata is a file without a note.

func (f *bucket) Get(_ context.Context, key string, limit int64) (*driver.Blob, error) {
	data, info, err := f.readFile(filepath.FromSlash(key), limit)
	switch {
	case errors.Is(err, errIrregular):
		return &driver.Blob{}, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return nil, tooLong(key)
	case strings.Contains(key, "\x00"):
		return nil, f.Check(key)
	case err != nil:
		return nil, translate(err)
	}
	b := &driver.Blob{Data: data}
	n, err := f.readNote(key)
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0: // an empty Previous means that there was no file
	case string(data) == n.Line:
		b.Metadata = n.Metadata
	case string(data) == n.Previous:
		b.Metadata, b.Detached = n.Metadata, true
	case isMarked(data, info.ModTime()):
		b.Detached = true
	}
	return b, nil
}

func (f *bucket) Put(ctx context.Context, key string, b *driver.Blob, c driver.Condition) error {
	if c.Unseen {
		return pipeline.ErrChanged // else the note would be written before the state of the file is known
	}
	name := filepath.FromSlash(key)
	// The note of another record must not be replaced. The caller has the lock, so that only users can
	// change the file from here on.
	if err := f.holds(name, c); err != nil {
		return err
	}
	content := newFile{data: b.Data, mode: cmp.Or(b.Mode, 0o666), marked: b.Metadata != nil}
	if b.Metadata != nil {
		n := note{Key: key, Line: string(b.Data), Metadata: b.Metadata}
		if c.Old != nil {
			n.Previous = string(c.Old.Data)
		}
		data, err := json.Marshal(n)
		if err != nil {
			return err
		}
		if err := f.put(noteName(key), "", newFile{data: data, mode: content.mode}, f.root.Rename); err != nil {
			return fmt.Errorf("its note: %w", err)
		}
		same := c.Old != nil && bytes.Equal(b.Data, c.Old.Data)
		if same && !(isOwn(c.Old) && f.isTooOpen(name, content.mode)) {
			return nil // the file is right, and stays as it is
		}
	}
	move := f.place
	switch {
	case c.Any:
		move = f.root.Rename
	case c.Old != nil:
		move = func(temp, name string) error {
			if err := f.still(name, c.Old); err != nil {
				return err
			}
			return f.root.Rename(temp, name)
		}
	}
	err := f.put(name, b.Of, content, func(temp, name string) error { return f.placeBeside(ctx, b, temp, name, move) })
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.isGone(b.Of):
		// With the object, its folder is gone.
		return errors.Join(fmt.Errorf("the object %w: %w", pipeline.ErrNotFound, err), f.forget(key))
	case c.Old == nil && (errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, errWithdrawn)):
		return errors.Join(err, f.forget(key))
	case errors.Is(err, pipeline.ErrChanged):
		// The file there is the user's, even if it has the same content.
		return errors.Join(err, f.forget(key))
	case errors.Is(err, syscall.ENAMETOOLONG):
		return tooLong(key)
	case errors.Is(err, syscall.ENOTDIR):
		return pipeline.Permanent(fmt.Errorf("there is a file where %q needs a folder: move it away, or choose other names with --record: %w", key, err))
	case escapes(err):
		return translate(err)
	}
	return err
}

// placeBeside moves the temporary file of a record to its name. In a folder that is watched it
// waits while users remove files, and does nothing if the object of the record is gone.
func (f *bucket) placeBeside(ctx context.Context, b *driver.Blob, temp, name string, move func(temp, name string) error) error {
	if f.calm == nil {
		return move(temp, name)
	}
	if err := f.calm.wait(ctx); err != nil {
		return err
	}
	if f.isGone(b.Of) {
		return fmt.Errorf("the object %w", pipeline.ErrNotFound)
	}
	if err := move(temp, name); err != nil {
		return err
	}
	withdraw := func() { f.withdraw(name, b) }
	if f.isGone(b.Of) {
		// The user removed it at the same moment, and must not find a file in its folder.
		withdraw()
		return fmt.Errorf("the object %w", pipeline.ErrNotFound)
	}
	return f.calm.placed(filepath.ToSlash(filepath.Dir(name)), withdraw)
}

// isGone reports whether there is nothing at a key. The empty key is never gone.
func (f *bucket) isGone(key string) bool {
	if key == "" {
		return false
	}
	_, err := f.root.Lstat(filepath.FromSlash(key))
	return isNotFound(err)
}

// withdraw removes a record that was placed just before. If it fails, or if the machine
// stops, the record stays until it is compared with its object again.
func (f *bucket) withdraw(name string, b *driver.Blob) {
	if f.still(name, b) == nil {
		_ = f.root.Remove(name)
	}
}

// holds returns ErrChanged if a file is no longer as the condition says.
func (f *bucket) holds(name string, c driver.Condition) error {
	switch {
	case c.Any:
		return nil
	case c.Old != nil:
		return f.still(name, c.Old)
	}
	if _, err := f.root.Lstat(name); err == nil {
		return fmt.Errorf("%w: a file is there", pipeline.ErrChanged)
	}
	return nil // place decides
}

// isOwn reports whether bucketsum wrote what Get returned.
func isOwn(b *driver.Blob) bool { return b.Metadata != nil || b.Detached }

// mode returns the permissions of an object. If there is no such object, only this user has any.
func (f *bucket) mode(key string) fs.FileMode {
	_, info, err := f.find(key)
	if err != nil {
		return 0o600
	}
	return info.Mode()&0o666 | 0o400
}

// isTooOpen reports whether a file permits more than a mode.
func (f *bucket) isTooOpen(name string, mode fs.FileMode) bool {
	info, err := f.root.Lstat(name)
	return err == nil && info.Mode()&0o666&^mode != 0
}

// place moves a temporary file to a free name. It returns ErrChanged if the name is taken.
func (f *bucket) place(temp, name string) error {
	// Unlike a rename, a hard link never replaces a file.
	err := f.root.Link(temp, name)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EXDEV) {
		// Not every file system has hard links, and their errors differ.
		_, err = f.root.Lstat(name)
		switch {
		case err == nil:
			err = fs.ErrExist
		case errors.Is(err, fs.ErrNotExist):
			return f.root.Rename(temp, name)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", pipeline.ErrChanged, err)
	}
	return err
}

// still returns ErrChanged if a file no longer has the content of old.
func (f *bucket) still(name string, old *driver.Blob) error {
	now, _, err := f.readFile(name, int64(len(old.Data))+1)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errIrregular), err == nil && !bytes.Equal(now, old.Data):
		return fmt.Errorf("%w: the file was replaced or changed", pipeline.ErrChanged)
	}
	return err
}

// Delete implements driver.Bucket. With the zero Condition it deletes only the note of a
// record whose file is gone.
func (f *bucket) Delete(_ context.Context, key string, c driver.Condition) error {
	name := filepath.FromSlash(key)
	if err := f.holds(name, c); err != nil {
		return err
	}
	if c == (driver.Condition{}) {
		return f.forget(key)
	}
	if err := f.root.Remove(name); err != nil {
		return translate(refused(err, filepath.Dir(name)))
	}
	// The note must not be gone first: a power cut that brings the record back would leave it
	// like a file of the user's.
	if err := f.syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	return f.forget(key)
}

// tooLong returns the error of a record whose name, or whole path, is too long for the file system.
func tooLong(key string) error {
	what := "the path of its record is longer than the file system allows"
	if n := len(path.Base(key)); n > 255 {
		what = fmt.Sprintf("the name of its record would have %d bytes, more than the file system allows", n)
	}
	return pipeline.Permanent(fmt.Errorf("%s: choose a layout that adds nothing to the object's name, such as --record 'checksums/{alg}/{key}': %w",
		what, syscall.ENAMETOOLONG))
}
