//go:build !linux

package folder

import (
	"io"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

func openDirect(int, string) (io.ReadCloser, filebucket.Version, bool) {
	return nil, filebucket.Version{}, false
}

func statDirect(int, string) (filebucket.Version, bool) { return filebucket.Version{}, false }
