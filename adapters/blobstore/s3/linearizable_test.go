package s3_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestLinearizable(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	// versitygw 1.8 does not look at a condition and act on it in one step: see the quarantined runs.
	// One request at a time makes it as atomic as S3; the requests of the workers still mix.
	var one sync.Mutex
	atomic := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		one.Lock()
		defer one.Unlock()
		next.ServeHTTP(w, r)
	})
	run := func(t *testing.T, server awsenv.Server, versioned bool, c drivertest.Clients) {
		b := drivertest.MakeS3Bucket(t, server, versioned)
		c.Buckets, c.Operations = drivertest.OpenBuckets(t, b.Address(), 2), 240
		drivertest.TestLinearizable(t, c)
	}
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("one request at a time, locked %t", locked), func(t *testing.T) {
			run(t, atomic, false, drivertest.Clients{Locked: locked})
		})
		t.Run(fmt.Sprintf("nothing is deleted, locked %t", locked), func(t *testing.T) {
			run(t, atomic, true, drivertest.Clients{Locked: locked, Without: drivertest.WithoutDeletes})
		})
		t.Run(fmt.Sprintf("versitygw overwrites, locked %t", locked), func(t *testing.T) {
			drivertest.Quarantined(t, "versitygw may refuse a condition that holds, and rarely accept one that does not, while another PUT of the key is in work: seen in 3 of 50 runs on a busy machine, in none of 50 with one request at a time")
			run(t, server, true, drivertest.Clients{Locked: locked, Without: drivertest.WithoutDeletes})
		})
		t.Run(fmt.Sprintf("versitygw deletes, locked %t", locked), func(t *testing.T) {
			drivertest.Quarantined(t, "versitygw does not lock a key for DELETE, so that it may delete a newer object than the one that the condition names")
			run(t, server, false, drivertest.Clients{Locked: locked})
		})
		t.Run(fmt.Sprintf("versitygw marks as deleted, locked %t", locked), func(t *testing.T) {
			drivertest.Quarantined(t, "versitygw takes a delete marker for an object, so that bucket.Put writes over it without a condition: two workers may both create a record")
			run(t, atomic, true, drivertest.Clients{Locked: locked})
		})
	}
}
