package blobstore

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/pipeline"
)

// translate turns the error of a read into one of the pipeline's classes, by code.
// FailedPrecondition is none of them, as gocloud says it of a closed bucket.
func translate(err error) error {
	if err == nil {
		return nil
	}
	switch {
	case gcerrors.Code(err) == gcerrors.NotFound, isNotFound(err):
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return pipeline.Permanent(err)
	case errors.Is(err, syscall.ELOOP):
		return pipeline.Permanent(fmt.Errorf("it is a symbolic link that leads to itself: %w", err))
	case escapes(err):
		return pipeline.Permanent(fmt.Errorf("it leads out of the bucket, by itself or by a symbolic link: %w", err))
	}
	return err
}

// isNotFound reports whether an error says that there is no file of a name.
func isNotFound(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// escapes reports whether os.Root refused a path that leads out of it. The
// package has no exported error for that; a test notices if the text changes.
func escapes(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}

// joined returns an error of the class of the one that asks for the most care,
// with the texts of all: a sidecar that is superseded must not hide another that
// failed.
func joined(errs []error) error {
	rank := map[pipeline.Class]int{pipeline.ClassSuperseded: 1, pipeline.ClassPermanent: 2, pipeline.ClassTransient: 3}
	var worst error
	var others []error
	for _, err := range errs {
		switch {
		case err == nil:
		case rank[pipeline.Classify(err)] > rank[pipeline.Classify(worst)]:
			if worst != nil {
				others = append(others, worst)
			}
			worst = err
		default:
			others = append(others, err)
		}
	}
	if len(others) == 0 {
		return worst
	}
	return fmt.Errorf("%w; also: %v", worst, errors.Join(others...))
}
