package azure_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestLinearizable(t *testing.T) {
	server := awsenv.StartAzurite(t)
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("locked %t", locked), func(t *testing.T) {
			b := drivertest.MakeContainer(t, server)
			drivertest.TestLinearizable(t, drivertest.Clients{Buckets: drivertest.OpenBuckets(t, b.Address(), 2), Locked: locked, Operations: 240})
		})
	}
}
