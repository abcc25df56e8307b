package md5sum

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/pipeline"
)

var (
	errNoObjects = errors.New("no objects are there")
	errNoObject  = errors.New("no such object")
	errNoFile    = errors.New("not a regular file")
	errOutside   = errors.New("the link leads out of the folder")

	errNamesURL   = errors.New("names a URL; add --check-urls to read it from the network")
	errInBucket   = errors.New("is in the bucket of the list; add --check-urls to read it from the network")
	errNamesShare = errors.New("names a share of the network or a device; add --check-urls to read it")
)

// isMissing reports whether err says that a file or object does not exist.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, pipeline.ErrNotFound)
}

// reasonOf returns an error as coreutils print it: without the name and the operation, and what the system says with a
// capital letter, because scripts look for "No such file or directory".
func reasonOf(err error) string {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		said := failed.Err.Error()
		if _, ok := failed.Err.(syscall.Errno); ok && said != "" {
			return strings.ToUpper(said[:1]) + said[1:]
		}
		return said
	}
	if errors.Is(err, pipeline.ErrNotFound) {
		return errNoObject.Error()
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
