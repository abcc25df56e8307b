package folder

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// Get, Put and Delete keep a record as a file. Its metadata is a note below
// .bucketsum, which says what the file holds and what it held before: a
// file that holds something else is the user's.
//
// The note is written first. If the process dies in between, the file is
// the old one, known as ours by what it held before, or missing. Both files
// appear with all of their content or not at all, and are on the disk when Put
// returns. What has no metadata is a file without a note.

// note is what is remembered of a record.
type note struct {
	Key      string            `json:"key"`
	Line     string            `json:"line"`
	Previous string            `json:"previous,omitempty"`
	Metadata map[string]string `json:"metadata"`
}

var (
	tempDir = filepath.Join(filebucket.Hidden, "tmp")
	noteDir = filepath.Join(filebucket.Hidden, filebucket.Notes)
	lockDir = filepath.Join(filebucket.Hidden, "locks")
)

// noteLimit is how many bytes of a note are read at most.
const noteLimit = 64 << 10

// noteName returns where the note of a record is. A hash, as a key may be longer
// than a name.
func noteName(key string) string {
	name := hash(key)
	return filepath.Join(noteDir, name[:2], name[2:]+".json")
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Lock implements driver.Bucket. It excludes other goroutines and other processes, by one
// of 256 files.
func (f *Bucket) Lock(ctx context.Context, key string) (func(), error) {
	return f.lockNotes(ctx, hash(key)[:2])
}

// lockNotes locks all records whose notes are in one directory.
func (f *Bucket) lockNotes(ctx context.Context, dir string) (func(), error) {
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

func (f *Bucket) lockFile(name string) (file *os.File, err error) {
	err = f.inDir(name, func() (err error) {
		file, err = f.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if errors.Is(err, fs.ErrPermission) {
			// Another user made it. Nothing is written to it, and mostly the
			// system locks what can be read.
			file, err = f.root.Open(name)
		}
		return err
	})
	return file, err
}

// Get implements driver.Bucket.
func (f *Bucket) Get(_ context.Context, key string, limit int64) (*driver.Blob, error) {
	data, err := f.readFile(filepath.FromSlash(key), limit)
	switch {
	case errors.Is(err, errIrregular):
		return &driver.Blob{}, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return nil, tooLong(key, err)
	case strings.Contains(key, "\x00"):
		return nil, f.Check(key)
	case err != nil:
		return nil, translate(err)
	}
	b := &driver.Blob{Data: data}
	n, err := f.readNote(key)
	if err != nil {
		return nil, err
	}
	switch string(data) {
	case "": // a note that there was nothing before says nothing about this file
	case n.Line:
		b.Metadata = n.Metadata
	case n.Previous:
		b.Metadata, b.Interrupted = n.Metadata, true
	}
	return b, nil
}

// readNote returns the note of a record; the zero note if there is none that
// can be read.
func (f *Bucket) readNote(key string) (note, error) {
	data, err := f.readFile(noteName(key), noteLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return note{}, fmt.Errorf("its note: %w", err)
	}
	if n := parseNote(data); n.Key == key {
		return n, nil
	}
	return note{}, nil
}

// parseNote reads the note of a record. Invalid data yields the zero note.
func parseNote(data []byte) note {
	var n note
	if json.Unmarshal(data, &n) != nil || n.Key == "" || n.Line == "" {
		return note{}
	}
	return n
}

// errIrregular: something else than a regular file is there.
var errIrregular = errors.New("not a regular file")

// readFile reads the start of a file. A symbolic link is not followed.
func (f *Bucket) readFile(name string, limit int64) ([]byte, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	file, info, err := openFile(f.root, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// Put implements driver.Bucket.
func (f *Bucket) Put(_ context.Context, key string, b *driver.Blob, c driver.Condition) error {
	if c.Unseen {
		return pipeline.ErrChanged // the note would be written before the file shows
	}
	if b.Metadata != nil {
		n := note{Key: key, Line: string(b.Data), Metadata: b.Metadata}
		if c.Old != nil {
			n.Previous = string(c.Old.Data)
		}
		data, err := json.Marshal(n)
		if err != nil {
			return err
		}
		if err := f.put(noteName(key), data, f.root.Rename); err != nil {
			return fmt.Errorf("its note: %w", err)
		}
	}
	move := f.place
	switch {
	case c.Any:
		move = f.root.Rename
	case c.Old != nil:
		move = func(temp, name string) error { return f.replace(temp, name, c.Old) }
	}
	err := f.put(filepath.FromSlash(key), b.Data, move)
	switch {
	case errors.Is(err, pipeline.ErrChanged):
		// What is there now is not ours, even if it says the same.
		return errors.Join(err, f.forget(key))
	case errors.Is(err, syscall.ENAMETOOLONG):
		return tooLong(key, err)
	case errors.Is(err, syscall.ENOTDIR):
		return pipeline.Permanent(fmt.Errorf("there is a file where %q needs a folder: move it away, or choose other names with --record: %w", key, err))
	case escapes(err):
		return translate(err)
	}
	return err
}

// place moves a temporary file to a name that nothing has. ErrChanged if
// something has it by now.
func (f *Bucket) place(temp, name string) error {
	// Unlike a rename, a hard link never replaces what somebody else put there.
	err := f.root.Link(temp, name)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EXDEV) {
		// Not every file system has hard links, or says so by the same error.
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

// replace moves a temporary file to the name that old has. ErrChanged if
// something else has it by now.
func (f *Bucket) replace(temp, name string, old *driver.Blob) error {
	if err := f.still(name, old); err != nil {
		return err
	}
	return f.root.Rename(temp, name)
}

// still makes sure that a file is what was read. ErrChanged if it is not.
func (f *Bucket) still(name string, old *driver.Blob) error {
	now, err := f.readFile(name, int64(len(old.Data))+1)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errIrregular), err == nil && !bytes.Equal(now, old.Data):
		return fmt.Errorf("%w: the file is another by now", pipeline.ErrChanged)
	}
	return err
}

// Delete implements driver.Bucket. With the zero Condition it deletes the note of a record
// that is gone.
func (f *Bucket) Delete(_ context.Context, key string, c driver.Condition) error {
	if c == (driver.Condition{}) {
		return f.forget(key)
	}
	name := filepath.FromSlash(key)
	if c.Old != nil {
		if err := f.still(name, c.Old); err != nil {
			return err
		}
	}
	if err := f.root.Remove(name); err != nil {
		return translate(err)
	}
	return errors.Join(f.forget(key), f.syncDir(filepath.Dir(name)))
}

// forget deletes the note of a record.
func (f *Bucket) forget(key string) error {
	if err := f.root.Remove(noteName(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its note: %w", err)
	}
	return nil
}

// put writes a file elsewhere and lets place move it to its name, so that nobody
// ever sees a part of it. It is on the disk when put returns.
func (f *Bucket) put(name string, data []byte, place func(temp, name string) error) error {
	err := f.putVia(tempDir, name, data, place)
	if errors.Is(err, syscall.EXDEV) {
		// Another file system is mounted in the folder.
		err = f.putVia(filepath.Join(filepath.Dir(name), tempDir), name, data, place)
	}
	return err
}

func (f *Bucket) putVia(dir, name string, data []byte, place func(temp, name string) error) (err error) {
	temp, err := f.temp(data, dir)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.root.Remove(temp); !errors.Is(e, fs.ErrNotExist) { // a rename took it
			err = errors.Join(err, e)
		}
	}()
	if err := f.inDir(name, func() error { return place(temp, name) }); err != nil {
		return err
	}
	return f.syncDir(filepath.Dir(name))
}

// temp writes a temporary file to the disk and returns its name. It leaves
// nothing behind when it fails.
func (f *Bucket) temp(data []byte, dir string) (string, error) {
	name := filepath.Join(dir, rand.Text())
	var file *os.File
	err := f.inDir(name, func() (err error) {
		file, err = f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, f.root.Remove(name))
	}
	return name, nil
}

// inDir does something that needs the directory of a name, and makes it when it
// is missing.
func (f *Bucket) inDir(name string, do func() error) error {
	err := do()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(name)
	if filebucket.IsHidden(filepath.ToSlash(dir)) {
		err = f.makeHidden(dir)
	} else {
		err = f.root.MkdirAll(dir, 0o777)
	}
	if err != nil {
		return err
	}
	return do()
}

// makeHidden makes a directory of our own and those above it. They let in whom
// the folder lets in: others who may write to it may run bucketsum, too.
func (f *Bucket) makeHidden(dir string) error {
	above := filepath.Dir(dir)
	err := f.root.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		if filebucket.IsHidden(filepath.ToSlash(above)) {
			err = f.makeHidden(above)
		} else {
			err = f.root.MkdirAll(above, 0o777)
		}
		if err == nil {
			err = f.root.Mkdir(dir, 0o777)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !filebucket.IsHidden(filepath.ToSlash(above)) {
		above = "."
	}
	info, err := f.root.Stat(above)
	if err != nil {
		return err
	}
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
	if err := f.root.Chmod(dir, mode|0o700); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// syncDir makes the names in a directory survive a crash of the machine, where
// the system can do that.
func (f *Bucket) syncDir(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// tooLong says what to do about a record whose name the file system refuses.
func tooLong(key string, err error) error {
	return pipeline.Permanent(fmt.Errorf(
		"the name %q would be longer (%d bytes) than the file system allows: choose a layout that adds nothing to the object's name, such as --record 'checksums/{alg}/{key}': %w",
		path.Base(key), len(path.Base(key)), err))
}
