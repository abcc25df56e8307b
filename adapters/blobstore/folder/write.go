package folder

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// errIrregular is the error of a path that is not that of a regular file.
var errIrregular = errors.New("not a regular file")

// readFile reads the first limit bytes of a file. It follows no symbolic link.
func (f *bucket) readFile(name string, limit int64) ([]byte, fs.FileInfo, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errIrregular
	}
	file, info, err := openFile(f.root, name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	if !info.Mode().IsRegular() {
		return nil, nil, errIrregular
	}
	data, err := io.ReadAll(io.LimitReader(file, limit))
	return data, info, err
}

// newFile is a file that is to be written.
type newFile struct {
	data   []byte
	mode   fs.FileMode // without the bits of the umask
	marked bool
}

// put writes a temporary file and lets place move it to its name, so that no reader ever
// sees a part of it. The file is on the disk when put returns. The folders that the object
// with the key of is in are never made: a user may just have removed them.
func (f *bucket) put(name, of string, content newFile, place func(temp, name string) error) error {
	err := f.putVia(tempDir, name, of, content, place)
	if errors.Is(err, syscall.EXDEV) {
		// Another file system is mounted in the folder, so that the temporary file
		// must be next to the name.
		err = f.putVia(filepath.Join(filepath.Dir(name), tempDir), name, of, content, place)
	}
	return err
}

func (f *bucket) putVia(dir, name, of string, content newFile, place func(temp, name string) error) (err error) {
	temp, err := f.temp(content, dir, of)
	if err != nil {
		return refused(err, dir)
	}
	defer func() {
		if e := f.root.Remove(temp); !errors.Is(e, fs.ErrNotExist) { // the rename has moved it
			err = errors.Join(err, e)
		}
	}()
	if err := f.inDir(name, of, func() error { return place(temp, name) }); err != nil {
		return refused(err, filepath.Dir(name))
	}
	return f.syncDir(filepath.Dir(name))
}

// temp writes a temporary file to the disk and returns its name. If it fails it leaves no
// file.
func (f *bucket) temp(content newFile, dir, of string) (string, error) {
	name := filepath.Join(dir, rand.Text())
	var file *os.File
	err := f.inDir(name, of, func() (err error) {
		file, err = f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, content.mode)
		return err
	})
	if err != nil {
		return "", err
	}
	_, err = file.Write(content.data)
	if err == nil && content.marked {
		// Without the mark, the file has its note.
		_ = f.root.Chtimes(name, time.Time{}, marked(content.data, time.Now()))
	}
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, f.root.Remove(name))
	}
	return name, nil
}

// inDir calls do, which needs the directory of a name. If the directory is missing, inDir
// makes it and calls do again, except a directory that the object with the key of is in.
//
// A directory that do finds is on the disk, unless another process is making it: otherwise
// a power cut could take the directory of a note, and leave the record like a file of the
// user's.
func (f *bucket) inDir(name, of string, do func() error) error {
	err := f.whenMade(do)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.making.Lock()
	err = f.makeDir(filepath.Dir(name), filepath.FromSlash(of))
	f.making.Unlock()
	if err != nil {
		return err
	}
	return f.whenMade(do)
}

// whenMade calls do while no directory is being made.
func (f *bucket) whenMade(do func() error) error {
	f.making.RLock()
	defer f.making.RUnlock()
	return do()
}

// makeDir makes a directory and those above it, and writes them to the disk. It makes none
// that the file of is in.
func (f *bucket) makeDir(dir, of string) error {
	if strings.HasPrefix(of, dir+string(filepath.Separator)) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
	}
	above := filepath.Dir(dir)
	err := f.root.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err = f.makeDir(above, of); err == nil {
			err = f.root.Mkdir(dir, 0o777)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if filebucket.IsHidden(filepath.ToSlash(dir)) {
		if err := f.shareHidden(dir, above); err != nil {
			return err
		}
	}
	if filepath.Base(dir) == filebucket.Hidden {
		f.hideFromGit(dir)
	}
	return f.syncDir(above)
}

// hideFromGit lets git ignore a new hidden directory. Otherwise "git add" would fail, as
// temporary files vanish while it reads them. It is a help only, so that errors do not count.
func (f *bucket) hideFromGit(dir string) {
	file, err := f.root.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return
	}
	_, _ = file.WriteString("*\n")
	_ = file.Close()
}

// shareHidden opens a hidden directory to the other users who may write to the folder that it is
// in: they may run bucketsum too. It closes the directory to all others: its notes tell of files in
// folders that they may not read.
func (f *bucket) shareHidden(dir, above string) error {
	if !filebucket.IsHidden(filepath.ToSlash(above)) {
		above = "."
	}
	info, err := f.root.Stat(above)
	if err != nil {
		return err
	}
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
	for _, class := range []fs.FileMode{0o070, 0o007} {
		if mode&class&0o222 == 0 {
			mode &^= class
		}
	}
	if err := f.root.Chmod(dir, mode|0o700); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// syncDir makes the names in a directory survive a crash of the machine, if the system
// supports that.
func (f *bucket) syncDir(dir string) error {
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
