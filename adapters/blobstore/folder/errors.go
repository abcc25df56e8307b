package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline"
)

// translate turns the error of a read into one of the pipeline's classes.
func translate(err error) error {
	if err == nil {
		return nil
	}
	switch {
	case isNotFound(err):
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return pipeline.Permanent(fmt.Errorf("no file can have its name: %w (%w)", err, pipeline.ErrNotFound))
	// A caller that asks whether the object exists learns that it does not: the record of a file whose
	// place such a link has taken is removed.
	case errors.Is(err, syscall.ELOOP):
		return pipeline.Permanent(fmt.Errorf("it is a symbolic link that leads to itself: %w (%w)", err, pipeline.ErrNotFound))
	case escapes(err):
		return pipeline.Permanent(fmt.Errorf("it leads out of the bucket, by itself or by a symbolic link: %w (%w)", err, pipeline.ErrNotFound))
	}
	return refused(err, "")
}

// RefusedError means that the permissions of the folder do not let this user do something. It is an [fs.ErrPermission].
type RefusedError struct {
	Dir string // where this user may not write; empty: it may not read the file
}

func (e *RefusedError) Error() string {
	switch e.Dir {
	case "":
		return "permission denied: this user may not read it"
	case ".":
		return "permission denied: this user may not write into the folder of the bucket"
	}
	return fmt.Sprintf("permission denied: this user may not write into %s/", e.Dir)
}

// Is makes the error an fs.ErrPermission.
func (e *RefusedError) Is(target error) bool { return target == fs.ErrPermission }

// refused returns a RefusedError for an error of permissions.
func refused(err error, dir string) error {
	if _, known := errors.AsType[*RefusedError](err); known || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &RefusedError{Dir: filepath.ToSlash(dir)}
}

// isNotFound reports whether an error means that there is no file with a name.
func isNotFound(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// escapes reports whether os.Root refused a path that leads out of it. Package os exports
// no error for this; a test fails if the text changes.
func escapes(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}
