//go:build unix

package folder_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
)

// A folder has no conditions, so that processes exclude each other by its locks. Two open buckets
// do as well, as a lock belongs to an open file.
func TestLinearizable(t *testing.T) {
	drivertest.TestLinearizable(t, drivertest.Clients{Buckets: drivertest.OpenBuckets(t, "file://"+t.TempDir(), 2), Locked: true, Operations: 400})
}
