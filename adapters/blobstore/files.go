package blobstore

import (
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

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// files stores sidecars as files. Their metadata is a note each under
// .bucketsum, which tells the line that the sidecar has and the one that it had: a
// sidecar with another line is not ours.
//
// The note is written first. Whenever the process dies in between, what is there
// is the old sidecar, known as ours by the line that it had, or none. Both files
// appear with all of their content or not at all, and are on the disk when write
// returns.
type files struct {
	root  *os.Root
	locks keyLocks
}

var _ sidecars = (*files)(nil)

// note is what is remembered of a sidecar.
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

// noteName returns where the note of a sidecar is. A hash, as a key may be longer
// than a name.
func noteName(key string) string {
	name := hash(key)
	return filepath.Join(noteDir, name[:2], name[2:]+".json")
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func (f *files) reserved(key string) bool { return filebucket.IsHidden(key) }

func (f *files) local() bool { return true }

func (f *files) create(context.Context, string, *sidecar) error { return pipeline.ErrChanged }

// lock excludes the other goroutines and the other processes by one of 256
// files.
func (f *files) lock(ctx context.Context, key string) (func(), error) {
	return f.lockNotes(ctx, hash(key)[:2])
}

// lockNotes locks all sidecars whose notes are in one directory.
func (f *files) lockNotes(ctx context.Context, dir string) (func(), error) {
	unlock, err := f.locks.lock(ctx, dir)
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

func (f *files) lockFile(name string) (file *os.File, err error) {
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

func (f *files) read(_ context.Context, key string) (*sidecar, error) {
	line, err := f.readFile(filepath.FromSlash(key))
	switch {
	case errors.Is(err, errIrregular):
		return &sidecar{}, nil
	case errors.Is(err, syscall.ENAMETOOLONG):
		return nil, tooLong(key, err)
	case strings.Contains(key, "\x00"):
		return nil, Addressable(key)
	case err != nil:
		return nil, translate(err)
	}
	s := &sidecar{line: string(line)}
	n, err := f.readNote(key)
	if err != nil {
		return nil, err
	}
	switch s.line {
	case "": // a note that previously there was nothing says nothing of this
	case n.Line:
		s.metadata = n.Metadata
	case n.Previous:
		// The process died between note and sidecar. It is ours, but what
		// it was computed from is not known any more.
		s.metadata = map[string]string{metaMarker: marker, metaKey: n.Metadata[metaKey]}
	}
	return s, nil
}

// readNote returns the note of a sidecar, an empty one if there is none that
// can be read.
func (f *files) readNote(key string) (note, error) {
	data, err := f.readFile(noteName(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return note{}, fmt.Errorf("its note: %w", err)
	}
	if n := parseNote(data); n.Key == key {
		return n, nil
	}
	return note{}, nil
}

// parseNote reads the note of a sidecar; what is none gives an empty one.
func parseNote(data []byte) note {
	var n note
	if json.Unmarshal(data, &n) != nil || n.Key == "" || n.Line == "" {
		return note{}
	}
	return n
}

// errIrregular: there is something that is not a file of its own.
var errIrregular = errors.New("not a regular file")

// readFile reads the start of a file. A symbolic link is not followed.
func (f *files) readFile(name string) ([]byte, error) {
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
	return io.ReadAll(io.LimitReader(file, sidecarLimit))
}

func (f *files) write(_ context.Context, key string, s, old *sidecar) error {
	n := note{Key: key, Line: s.line, Metadata: s.metadata}
	if old != nil {
		n.Previous = old.line
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := f.put(noteName(key), data, f.root.Rename); err != nil {
		return fmt.Errorf("its note: %w", err)
	}
	move := f.place
	if old != nil {
		move = func(temp, name string) error { return f.replace(temp, name, old) }
	}
	err = f.put(filepath.FromSlash(key), []byte(s.line), move)
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
func (f *files) place(temp, name string) error {
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
func (f *files) replace(temp, name string, old *sidecar) error {
	if err := f.still(name, old); err != nil {
		return err
	}
	return f.root.Rename(temp, name)
}

// still makes sure that a file is what was read. ErrChanged if it is not.
func (f *files) still(name string, old *sidecar) error {
	now, err := f.readFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errIrregular), err == nil && string(now) != old.line:
		return fmt.Errorf("%w: the file is another by now", pipeline.ErrChanged)
	}
	return err
}

func (f *files) remove(_ context.Context, key string, old *sidecar) error {
	if old == nil {
		return f.forget(key)
	}
	name := filepath.FromSlash(key)
	if err := f.still(name, old); err != nil {
		return err
	}
	if err := f.root.Remove(name); err != nil {
		return translate(err)
	}
	return errors.Join(f.forget(key), f.syncDir(filepath.Dir(name)))
}

// forget removes the note of a sidecar.
func (f *files) forget(key string) error {
	if err := f.root.Remove(noteName(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its note: %w", err)
	}
	return nil
}

// put writes a file elsewhere and lets place move it to its name, so that nobody
// ever sees a part of it. It is on the disk when put returns.
func (f *files) put(name string, data []byte, place func(temp, name string) error) error {
	err := f.putVia(tempDir, name, data, place)
	if errors.Is(err, syscall.EXDEV) {
		// Another file system is mounted in the folder.
		err = f.putVia(filepath.Join(filepath.Dir(name), tempDir), name, data, place)
	}
	return err
}

func (f *files) putVia(dir, name string, data []byte, place func(temp, name string) error) (err error) {
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
func (f *files) temp(data []byte, dir string) (string, error) {
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
func (f *files) inDir(name string, do func() error) error {
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
func (f *files) makeHidden(dir string) error {
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
func (f *files) syncDir(dir string) error {
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
