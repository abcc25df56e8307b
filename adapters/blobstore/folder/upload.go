package folder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// uploadDir has the files that are on their way into the folder. Other processes remove old temporary files, and an
// upload may take hours: only the process that watches the folder, which is the one that takes uploads, cleans up here.
var uploadDir = filepath.Join(filebucket.Hidden, "uploads")

// maxDepth bounds the folders that an upload makes: their cost grows with the square of their number.
const maxDepth = 64

// upload is a file that arrives.
type upload struct {
	f    *bucket
	name string // of the file that it will be
	temp string
	file *os.File
}

// create begins a file. It makes nothing outside of the hidden folder.
func (f *bucket) create(key string) (driver.Upload, error) {
	if err := f.Check(key); err != nil {
		return nil, err
	}
	u := &upload{f: f, name: filepath.FromSlash(key), temp: filepath.Join(uploadDir, rand.Text())}
	if err := u.mayBe(); err != nil {
		return nil, err
	}
	err := f.inDir(u.temp, "", func() (err error) {
		u.file, err = f.root.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// mayBe reports why no file of this name is taken: the watcher would not see it, or see it under another name.
func (u *upload) mayBe() error {
	refuse := func(name, why string) error {
		return pipeline.Permanent(fmt.Errorf("no file can be written to %q: %q %s", filepath.ToSlash(u.name), filepath.ToSlash(name), why))
	}
	if strings.Count(u.name, string(filepath.Separator)) > maxDepth {
		return pipeline.Permanent(fmt.Errorf("no file can be written into more than %d folders", maxDepth))
	}
	for i, c := range u.name {
		if c != filepath.Separator {
			continue
		}
		dir := u.name[:i]
		info, err := u.f.root.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // nor is anything below it
		case errors.Is(err, syscall.ENAMETOOLONG):
			return refuse(dir, "has a name that is too long")
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return refuse(dir, "is a symbolic link")
		case !info.IsDir():
			return refuse(dir, "is a file")
		}
		if _, err := u.f.root.Lstat(filepath.Join(dir, filebucket.Hidden, filebucket.Notes)); err == nil {
			return refuse(dir, "is a bucket of its own")
		}
	}
	info, err := u.f.root.Lstat(u.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ENAMETOOLONG):
		return refuse(filepath.Base(u.name), "is too long a name")
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return refuse(u.name, "is there and not a regular file")
	}
	return nil
}

func (u *upload) Write(p []byte) (int, error) { return u.file.Write(p) }

// Place makes the file visible. It is on the disk when Place returns.
func (u *upload) Place(c driver.Replace) (driver.State, error) {
	if err := u.file.Sync(); err != nil {
		return driver.State{}, err
	}
	err := u.place(c)
	if errors.Is(err, syscall.EXDEV) { // another file system is mounted in the folder
		if err = u.moveBeside(); err == nil {
			err = u.place(c)
		}
	}
	if err != nil {
		return driver.State{}, err
	}
	// A second name of the file would change its time when it goes.
	if err := u.f.root.Remove(u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return driver.State{}, err
	}
	info, err := u.file.Stat()
	if err != nil {
		return driver.State{}, err
	}
	return stateOf(filebucket.VersionOf(info)), u.f.syncDir(filepath.Dir(u.name))
}

func (u *upload) place(c driver.Replace) error {
	return u.f.inDir(u.name, "", func() error {
		if err := u.mayBe(); err != nil { // it has taken a while
			return err
		}
		if c == (driver.Replace{}) {
			return u.f.place(u.temp, u.name)
		}
		if c.Any {
			return u.f.root.Rename(u.temp, u.name)
		}
		info, err := u.f.root.Lstat(u.name)
		if err == nil && c.ETag != "" && filebucket.VersionOf(info).ETag() != c.ETag {
			err = pipeline.ErrChanged
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: there is no such file", pipeline.ErrChanged)
		}
		if err != nil {
			return err
		}
		return u.f.root.Rename(u.temp, u.name)
	})
}

// moveBeside copies the temporary file to the file system of its name.
func (u *upload) moveBeside() (err error) {
	from, err := u.f.root.Open(u.temp)
	if err != nil {
		return err
	}
	defer from.Close()
	next := &upload{f: u.f, name: u.name, temp: filepath.Join(filepath.Dir(u.name), uploadDir, rand.Text())}
	err = u.f.inDir(next.temp, "", func() (err error) {
		next.file, err = u.f.root.OpenFile(next.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return err
	}
	if _, err = io.Copy(next.file, from); err == nil {
		err = next.file.Sync()
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	old := *u
	*u = *next
	return old.Close()
}

// Close removes the file unless it was placed.
func (u *upload) Close() error {
	err := u.file.Close()
	if gone := u.f.root.Remove(u.temp); !errors.Is(gone, fs.ErrNotExist) { // a rename has moved it
		err = errors.Join(err, gone)
	}
	return err
}

// removeUploads removes what a process that was killed has left. No other process takes uploads.
func (f *bucket) removeUploads() error {
	names, err := f.entries(uploadDir)
	errs := []error{err}
	for _, name := range names {
		if err := f.root.Remove(filepath.Join(uploadDir, name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
