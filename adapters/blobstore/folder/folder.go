// Package folder is the driver for buckets that are folders of files: file:///path/to/folder.
//
// The driver opens files itself, not through gocloud's fileblob, which cannot address
// all names and costs several times as much as the checksum of a small file. It reads
// nothing outside of the folder, even through symbolic links, and opens only regular
// files. Modification time, time of change and size of a file identify its version, see
// package filebucket. A folder in the folder that has notes of its own is another bucket
// and is not listed.
//
// Files have no metadata, so that the metadata of a record is in a note below .bucketsum.
// Several processes may work on one folder, also as different users, if all of them may
// write to it: they may write below .bucketsum, too.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Driver opens folders.
var Driver = driver.Driver{
	Scheme:  "file",
	Example: "file:///srv/inbox",
	Open: func(_ context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
		dir, err := pathOf(u)
		if err != nil {
			return nil, err
		}
		f, err := openCalm(dir, nil)
		if err != nil {
			return nil, err
		}
		// Who may not write to the folder leaves them.
		_ = f.removeTemps(time.Now().Add(-tempAge))
		return f, nil
	},
	NameOf: func(u *url.URL) string {
		dir, err := pathOf(u)
		if err == nil {
			dir, err = filepath.Abs(dir)
		}
		if err != nil {
			return u.Host // Open reports the fault
		}
		return filepath.Base(dir)
	},
}

// bucket is a folder of files.
type bucket struct {
	dir string // absolute, without symbolic links
	// root opens nothing outside of the folder, even through symbolic links.
	root  *os.Root
	self  *os.File // the open folder
	conn  syscall.RawConn
	locks driver.Locks // of the 256 directories of notes
	calm  *Calm        // nil: the folder is not watched

	making sync.RWMutex // locked while directories are being made
}

var _ driver.Bucket = (*bucket)(nil)

func (f *bucket) Traits() driver.Traits {
	return driver.Traits{Name: "a folder", Local: true, Unmodified: unmodified, Mode: f.mode, Writable: f.writable, CleanUp: f.cleanUp, Create: f.create}
}

func unmodified(a, b pipeline.Object) bool { return filebucket.Unmodified(a.ETag, b.ETag) }

// pathOf returns the path in a URL.
func pathOf(u *url.URL) (string, error) {
	switch {
	case u.Host != "" && u.Host != ".":
		return "", fmt.Errorf("bucket URL %q: a folder is file:///path/to/folder, with three slashes", redact.URL(u.String()))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("bucket URL %q: a folder takes no parameters; write ? and # in its name as %%3F and %%23", redact.URL(u.String()))
	case u.Host == ".":
		return filepath.FromSlash("." + u.Path), nil
	case u.Path == "":
		return "", fmt.Errorf("bucket URL %q: it names no folder; a folder is file:///path/to/folder", redact.URL(u.String()))
	}
	return filepath.FromSlash(u.Path), nil
}

// Open opens a folder of files as a bucket. The folder must exist.
func Open(dir string) (driver.Bucket, error) { return OpenCalm(dir, nil) }

// OpenCalm is Open for a folder that is watched: the watcher tells calm which files users
// remove.
func OpenCalm(dir string, calm *Calm) (driver.Bucket, error) {
	f, err := openCalm(dir, calm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func openCalm(dir string, calm *Calm) (*bucket, error) {
	full, err := filepath.Abs(dir)
	if err == nil {
		// resolve compares paths with it.
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	root, err := os.OpenRoot(full)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	conn, err := self.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, self.Close(), root.Close())
	}
	return &bucket{dir: full, root: root, self: self, conn: conn, calm: calm}, nil
}

func (f *bucket) Close() error { return errors.Join(f.self.Close(), f.root.Close()) }

func (f *bucket) Reachable(context.Context) error {
	_, err := os.Stat(f.dir)
	return err
}

// statDirect and openDirect do nothing once the folder is closed. Otherwise a late call
// could use the descriptor of another file, which has got the same number.
func (f *bucket) statDirect(key string) (version filebucket.Version, ok bool) {
	err := f.conn.Control(func(fd uintptr) { version, ok = statDirect(int(fd), key) })
	return version, ok && err == nil
}

func (f *bucket) openDirect(key string) (c io.ReadCloser, version filebucket.Version, ok bool) {
	err := f.conn.Control(func(fd uintptr) { c, version, ok = openDirect(int(fd), key) })
	return c, version, ok && err == nil
}

func (f *bucket) Check(key string) error {
	reason := ""
	switch {
	case !utf8.ValidString(key):
		reason = "it is not UTF-8, so that no event can carry it"
	case key == "..", strings.HasPrefix(path.Clean(key), "../"):
		reason = "it leads out of the bucket"
	case strings.Contains(key, "\x00"), !fs.ValidPath(key), key == ".", filepath.Separator != '/' && !filepath.IsLocal(key):
		reason = "it is not the name of a file in the folder"
	default:
		return nil
	}
	return pipeline.Permanent(fmt.Errorf("the name %q cannot be summed: %s; rename it", key, reason))
}

func (f *bucket) Stat(_ context.Context, key string) (driver.State, error) {
	version, err := f.version(key)
	if err != nil {
		return driver.State{}, err
	}
	return stateOf(version), nil
}

// version returns the version of an object's file.
func (f *bucket) version(key string) (filebucket.Version, error) {
	if version, ok := f.statDirect(key); ok {
		return version, nil
	}
	_, info, err := f.find(key)
	if err != nil {
		return filebucket.Version{}, err
	}
	return filebucket.VersionOf(info), nil
}

// find returns the name by which root can open an object's file, and its state.
// Symbolic links are followed as long as they stay in the folder.
func (f *bucket) find(key string) (string, fs.FileInfo, error) {
	name := filepath.FromSlash(key)
	info, err := f.root.Stat(name)
	if escapes(err) {
		// root also refuses absolute links that lead into the folder.
		if inside, ok := f.resolve(name); ok {
			name = inside
			info, err = f.root.Stat(name)
		}
	}
	if err != nil {
		return "", nil, translate(err)
	}
	if !info.Mode().IsRegular() {
		// A caller that asks whether the object exists learns that it does not.
		return "", nil, fmt.Errorf("it is not a regular file (%s): %w (%w)", info.Mode().Type(), pipeline.ErrFiltered, pipeline.ErrNotFound)
	}
	return name, info, nil
}

// resolve returns the name in the folder of the target of a name with absolute symbolic
// links. The caller opens it through root, which checks that it is in the folder.
func (f *bucket) resolve(name string) (string, bool) {
	target, err := filepath.EvalSymlinks(filepath.Join(f.dir, name))
	if err != nil {
		return "", false
	}
	inside, err := filepath.Rel(f.dir, target)
	return inside, err == nil && filepath.IsLocal(inside)
}

func (f *bucket) Open(_ context.Context, o pipeline.Object, offset int64) (driver.Content, error) {
	if offset == 0 {
		if c, version, ok := f.openDirect(o.Key); ok {
			return driver.Content{State: stateOf(version), Body: c}, nil
		}
	}
	file, version, err := f.openFile(o.Key)
	if err != nil {
		return driver.Content{}, err
	}
	if offset > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			_ = file.Close() // nothing was read
			return driver.Content{}, err
		}
	}
	return driver.Content{State: stateOf(version), Body: file}, nil
}

// openFile opens the file of a key. It returns ErrChanged if the file is not the one that
// find has seen. The version is that of the open file.
func (f *bucket) openFile(key string) (*os.File, filebucket.Version, error) {
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

// openFile opens a file. If it is a pipe, openFile does not wait for a writer.
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

func stateOf(v filebucket.Version) driver.State { return driver.State{ETag: v.ETag(), Size: v.Size} }

// writable tries what writing a record needs: the hidden folder, a file in it, and
// a new name next to the objects.
func (f *bucket) writable() error {
	if info, err := f.root.Lstat(filebucket.Hidden); err == nil && !info.IsDir() {
		return fmt.Errorf("cannot write records to %s: %s is not a folder, but bucketsum keeps its notes there: move it away", f.dir, filebucket.Hidden)
	}
	err := f.tryWriting()
	if err == nil {
		err = f.shareHidden(filebucket.Hidden, ".") // the folder may have got other permissions
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // a user has just removed it
	}
	if err != nil {
		return fmt.Errorf("cannot write records to %s: %w; the folder must be writable for the user that runs bucketsum", f.dir, err)
	}
	return nil
}

func (f *bucket) tryWriting() error {
	temp, err := f.temp(newFile{data: []byte("bucketsum can write here\n"), mode: 0o600}, tempDir, "")
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
