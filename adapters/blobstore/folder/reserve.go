package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// InUseError means that another process watches the folder.
type InUseError struct {
	Process int // 0: unknown
}

func (e *InUseError) Error() string {
	if e.Process == 0 {
		return "another process watches this folder"
	}
	return fmt.Sprintf("another process watches this folder: process %d", e.Process)
}

// Reserve reserves a folder for this process until release is called or the process ends, or
// returns an InUseError. On systems and file systems without locks it does nothing.
func Reserve(dir string) (release func() error, err error) {
	b, err := Open(dir)
	if err != nil {
		return nil, err
	}
	file, err := openReserved(b.(*bucket))
	if err = errors.Join(err, b.Close()); err != nil {
		return nil, err
	}
	once, cancel := context.WithCancel(context.Background())
	cancel()
	if err := flock(once, file); errors.Is(err, context.Canceled) {
		return nil, errors.Join(&InUseError{processIn(file)}, file.Close())
	}
	// Another process reads this only to name it. The file may be of another user.
	_ = os.WriteFile(file.Name(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o666)
	return file.Close, nil
}

// openReserved opens the file that is locked, for reading: a file that is open for writing
// would keep the user from making the file system read-only.
func openReserved(b *bucket) (*os.File, error) {
	name := filepath.Join(filebucket.Hidden, "watched")
	made, err := b.lockFile(name)
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	return b.root.Open(name)
}

// processIn returns the number of the process that a file names; 0 if it names none.
func processIn(file *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 20))
	n, invalid := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || invalid != nil {
		return 0
	}
	return n
}
