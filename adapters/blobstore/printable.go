package blobstore

import (
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// printable returns bucket and key for people to read.
func printable(o pipeline.Object) string {
	if name := readable.Name(o.Key); name != o.Key {
		return o.Bucket + "/" + name
	}
	return o.String()
}
