package memory_test

import (
	"fmt"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
)

// Another process would need conditions, which memblob does not have.
func TestLinearizable(t *testing.T) {
	b := memory.New(memblob.OpenBucket(nil))
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	drivertest.TestLinearizable(t, drivertest.Clients{Buckets: []driver.Bucket{b}, Locked: true, Operations: 5000})
}

// A record that is read while it is replaced has the data and the metadata of one write.
func TestGetIsOfOneWrite(t *testing.T) {
	b := memory.New(memblob.OpenBucket(nil))
	defer b.Close()
	put := func(n int) {
		text := fmt.Sprint(n)
		blob := &driver.Blob{Data: []byte(text), ContentType: "text/plain", Metadata: map[string]string{"text": text}}
		if err := b.Put(t.Context(), "a.md5", blob, driver.Condition{Any: true}); err != nil {
			t.Error(err)
		}
	}
	put(0)
	writes := make(chan struct{})
	go func() {
		defer close(writes)
		for n := range 10_000 {
			put(n)
		}
	}()
	for reading := true; reading; {
		select {
		case <-writes:
			reading = false
		default:
		}
		got, err := b.Get(t.Context(), "a.md5", 100)
		if err != nil || string(got.Data) != got.Metadata["text"] {
			t.Errorf("got %+v, %v", got, err)
			break
		}
	}
	<-writes
}
