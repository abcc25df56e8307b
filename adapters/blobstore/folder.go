package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// folder is a bucket of files.
type folder struct {
	dir string // absolute, without symbolic links
	// root opens nothing outside of the folder, whatever symbolic links say.
	root  *os.Root
	self  *os.File // the folder, as root has it
	conn  syscall.RawConn
	files *files
}

var _ contents = (*folder)(nil)

// folderOf returns the folder that a URL names.
func folderOf(u *url.URL) (string, error) {
	switch {
	case u.Host != "" && u.Host != ".":
		return "", fmt.Errorf("bucket URL %q: a folder is file:///path/to/folder, with three slashes", u.Redacted())
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("bucket URL %q: a folder takes no parameters; write ? and # in its name as %%3F and %%23", u.Redacted())
	case u.Host == ".":
		return filepath.FromSlash("." + u.Path), nil
	case u.Path == "":
		return "", fmt.Errorf("bucket URL %q: it names no folder; a folder is file:///path/to/folder", u.Redacted())
	}
	return filepath.FromSlash(u.Path), nil
}

// OpenFolder opens a folder of files as a bucket. The folder must exist.
func OpenFolder(dir, name string, c Config) (*Store, error) {
	full, err := filepath.Abs(dir)
	if err == nil {
		// What resolve finds is compared with it.
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: open %s: %w", name, dir, err)
	}
	dir = full
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bucket %s: %w", name, err), root.Close())
	}
	conn, err := self.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bucket %s: %w", name, err), self.Close(), root.Close())
	}
	f := &folder{dir: dir, root: root, self: self, conn: conn, files: &files{root: root}}
	return &Store{name: name, contents: f, records: newRecords(c, f.files), folder: f, close: f.close}, nil
}

func (f *folder) close() error { return errors.Join(f.self.Close(), f.root.Close()) }

// statDirect and openDirect do nothing once the folder is closed: who was left behind
// then would else find another file under the number of its descriptor.
func (f *folder) statDirect(key string) (version filebucket.Version, ok bool) {
	err := f.conn.Control(func(fd uintptr) { version, ok = statDirect(int(fd), key) })
	return version, ok && err == nil
}

func (f *folder) openDirect(key string) (c content, version filebucket.Version, ok bool) {
	err := f.conn.Control(func(fd uintptr) { c, version, ok = openDirect(int(fd), key) })
	return c, version, ok && err == nil
}

// Addressable explains why no file of this name can be an object; nil if one
// can.
func Addressable(key string) error {
	reason := ""
	switch {
	case !utf8.ValidString(key):
		reason = "it is not UTF-8, so that no event can carry it"
	case strings.Contains(key, "\x00"), !fs.ValidPath(key), key == ".", filepath.Separator != '/' && !filepath.IsLocal(key):
		reason = "it is not that of a file in the folder"
	default:
		return nil
	}
	return pipeline.Permanent(fmt.Errorf("the name %q cannot be summed: %s; rename it", key, reason))
}

var errNoFolder = errors.New("not a folder")

func (f *folder) check(key string) error { return Addressable(key) }

func (f *folder) stat(_ context.Context, key string) (state, error) {
	version, ok := f.statDirect(key)
	if !ok {
		_, info, err := f.find(key)
		if err != nil {
			return state{}, err
		}
		version = filebucket.VersionOf(info)
	}
	if err := f.ownRecord(key, version.Size); err != nil {
		return state{}, err
	}
	return stateOf(version), nil
}

// ownRecord returns ErrOwnRecord for what bucketsum wrote as a record, be it
// where the layout has no records now. Only a small file with the name of an
// algorithm in its key is looked at closer.
func (f *folder) ownRecord(key string, size int64) error {
	if size > maxLine || !mayBeRecord(key) {
		return nil
	}
	s, err := f.files.read(context.Background(), key)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return nil // whoever opens it will see
	case err != nil:
		return err
	}
	return s.isOwnRecord(key)
}

// find returns the name under which root has an object's file, and the file.
// Symbolic links are followed as long as they stay in the folder.
func (f *folder) find(key string) (string, fs.FileInfo, error) {
	name := filepath.FromSlash(key)
	info, err := f.root.Stat(name)
	if escapes(err) {
		// That is what root says of every absolute link, be it to the inside.
		if inside, ok := f.resolve(name); ok {
			name = inside
			info, err = f.root.Stat(name)
		}
	}
	if err != nil {
		return "", nil, translate(err)
	}
	if !info.Mode().IsRegular() {
		// To whoever asks whether the object is there, it is not.
		return "", nil, fmt.Errorf("it is not a regular file (%s): %w (%w)", info.Mode().Type(), pipeline.ErrFiltered, pipeline.ErrNotFound)
	}
	return name, info, nil
}

// resolve returns the name in the folder of what a name with absolute symbolic
// links leads to. It is a guess that root checks.
func (f *folder) resolve(name string) (string, bool) {
	target, err := filepath.EvalSymlinks(filepath.Join(f.dir, name))
	if err != nil {
		return "", false
	}
	inside, err := filepath.Rel(f.dir, target)
	return inside, err == nil && filepath.IsLocal(inside)
}

func (f *folder) open(_ context.Context, o pipeline.Object) (content, state, error) {
	c, version, ok := f.openDirect(o.Key)
	if !ok {
		var err error
		if c, version, err = f.openFile(o.Key); err != nil {
			return nil, state{}, err
		}
	}
	if err := f.ownRecord(o.Key, version.Size); err != nil {
		_ = c.Close() // nothing was read
		return nil, state{}, err
	}
	return c, stateOf(version), nil
}

// openFile opens the file and makes sure that it is the one that root found, as it
// may have been replaced meanwhile. The version is that of the open file.
func (f *folder) openFile(key string) (*os.File, filebucket.Version, error) {
	name, found, err := f.find(key)
	if err != nil {
		return nil, filebucket.Version{}, err
	}
	file, opened, err := openFile(f.root, name)
	if err != nil {
		return nil, filebucket.Version{}, translate(err)
	}
	if !os.SameFile(found, opened) {
		_ = file.Close() // nothing was read
		return nil, filebucket.Version{}, fmt.Errorf("%w: the file was replaced while it was opened", pipeline.ErrChanged)
	}
	return file, filebucket.VersionOf(opened), nil
}

// openFile opens a file without waiting for a writer, should it be a pipe.
func openFile(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // nothing was read
		return nil, nil, err
	}
	return file, info, nil
}

func stateOf(v filebucket.Version) state { return state{etag: v.ETag(), size: v.Size} }

// checkWritable tries what a record needs: a folder of our own, a file in it and
// a new name beside the objects.
func (f *folder) checkWritable() error {
	if info, err := f.root.Lstat(filebucket.Hidden); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is %w, but that is where bucketsum keeps its notes: move it away", filebucket.Hidden, errNoFolder)
	}
	temp, err := f.files.temp([]byte("bucketsum can write here\n"), tempDir)
	if err != nil {
		return err
	}
	if err := f.root.Remove(temp); err != nil {
		return err
	}
	probe := filebucket.Hidden + ".probe"
	if err := f.root.Mkdir(probe, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.root.Remove(probe); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
