//go:build !linux

package blobstore

import "github.com/bucketsum/bucketsum/pipeline/filebucket"

func openDirect(int, string) (content, filebucket.Version, bool) {
	return nil, filebucket.Version{}, false
}

func statDirect(int, string) (filebucket.Version, bool) { return filebucket.Version{}, false }
