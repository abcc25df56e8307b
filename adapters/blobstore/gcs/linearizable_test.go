package gcs_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestLinearizable(t *testing.T) {
	server := awsenv.StartFakeGCS(t)
	run := func(t *testing.T, c drivertest.Clients) {
		b := drivertest.MakeGCSBucket(t, server, false)
		c.Buckets, c.Operations = drivertest.OpenBuckets(t, b.Address(), 2), 400
		drivertest.TestLinearizable(t, c)
	}
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("no deletes with conditions, locked %t", locked), func(t *testing.T) {
			run(t, drivertest.Clients{Locked: locked, Without: drivertest.WithoutConditionalDeletes})
		})
		t.Run(fmt.Sprintf("fake-gcs-server deletes, locked %t", locked), func(t *testing.T) {
			drivertest.Quarantined(t, "fake-gcs-server ignores ifGenerationMatch of a DELETE")
			run(t, drivertest.Clients{Locked: locked})
		})
	}
}
