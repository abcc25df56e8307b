package s3_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestItems(t *testing.T) {
	for name, start := range map[string]func(testing.TB) awsenv.Server{"versitygw": awsenv.StartVersitygw, "moto": awsenv.StartMoto} {
		server := start(t)
		holds := func(key string) bool { return !strings.HasSuffix(key, "/") } // versitygw has folders there
		if name == "moto" {
			holds = func(key string) bool { return !strings.Contains(key, "\n") }
		}
		t.Run(name, func(t *testing.T) {
			h := drivertest.MakeS3Bucket(t, server, false).Harness(blobstore.Layout{})
			h.Holds = holds
			drivertest.TestItems(t, h)
		})
		t.Run(name+", records apart", func(t *testing.T) {
			h := drivertest.MakeS3Bucket(t, server, false).Apart(drivertest.MakeS3Bucket(t, server, false), drivertest.MustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Holds = holds
			drivertest.TestItems(t, h)
		})
	}
}
