package output

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is a file that appears as a whole: it is written beside its place and renamed. A device or a pipe is written as
// it is.
type file struct {
	*bufio.Writer
	f     *os.File
	place string // empty: f is in its place
}

// createFile begins a file. It fails now if the file cannot be written, not after the work of hours.
func createFile(path string) (*file, error) {
	name, place := path, ""
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, &os.PathError{Op: "create", Path: path, Err: errors.New("it is a folder")}
	} else if err != nil || info.Mode().IsRegular() {
		name, place = path+"."+rand.Text()[:8]+".tmp", path
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if folder := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s: make it first", folder)
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		failed.Path = path // the user knows no other
	}
	if err != nil {
		return nil, err
	}
	return &file{Writer: bufio.NewWriterSize(f, 64<<10), f: f, place: place}, nil
}

// commit puts the file in its place.
func (f *file) commit() error {
	err := f.Flush()
	if err == nil && f.place != "" {
		err = f.f.Sync()
	}
	err = errors.Join(err, f.f.Close())
	if err != nil || f.place == "" {
		f.remove()
		return err
	}
	if err := os.Rename(f.f.Name(), f.place); err != nil {
		f.remove()
		return err
	}
	return nil
}

// abort leaves what was in the file's place.
func (f *file) abort() {
	f.f.Close()
	f.remove()
}

func (f *file) remove() {
	if f.place != "" {
		os.Remove(f.f.Name())
	}
}

// scratch holds text in a file without a name, until it is copied.
type scratch struct {
	*bufio.Writer
	f *os.File
}

// newScratch makes a scratch file in a folder.
func newScratch(dir string) (*scratch, error) {
	f, err := os.CreateTemp(dir, ".bucketsum-*.tmp")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // some systems refuse that: close tries again
	return &scratch{Writer: bufio.NewWriterSize(f, 64<<10), f: f}, nil
}

func (s *scratch) copyTo(w io.Writer) error {
	if err := s.Flush(); err != nil {
		return err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.f)
	return err
}

func (s *scratch) close() {
	s.f.Close()
	os.Remove(s.f.Name())
}
