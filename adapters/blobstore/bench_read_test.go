package blobstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// benchmarkRead reads and digests one object over and over, 32 times at once on
// each CPU.
func benchmarkRead(b *testing.B, store *blobstore.Store, o pipeline.Object, size int64) {
	b.SetBytes(size)
	b.ReportAllocs()
	b.SetParallelism(32)
	digests := sync.Pool{New: func() any {
		d, err := digest.New("md5")
		if err != nil {
			b.Error(err)
		}
		return d
	}}
	b.RunParallel(func(pb *testing.PB) {
		d := digests.Get().(*digest.Digest)
		for pb.Next() {
			d.Reset()
			r, err := store.Open(b.Context(), o)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := digest.Copy(b.Context(), d, r); err != nil {
				b.Error(err)
			}
			if err := r.Close(); err != nil {
				b.Error(err)
			}
		}
	})
}

var readSizes = []int{16 << 10, 1 << 20, 64 << 20}

func BenchmarkReadFolder(b *testing.B) {
	for _, size := range readSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, size), 0o600); err != nil {
				b.Fatal(err)
			}
			o := pipeline.Object{Bucket: "test", Key: "a", Size: pipeline.UnknownSize}
			benchmarkRead(b, openFolder(b, dir, blobstore.Config{}), o, int64(size))
		})
	}
}

func BenchmarkReadS3(b *testing.B) {
	server := awsenv.StartVersitygw(b)
	for _, size := range readSizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			bucket := makeBucket(b, server, false)
			o := bucket.put(b, "a", strings.Repeat("x", size))
			benchmarkRead(b, bucket.open(b, blobstore.Config{}), o, int64(size))
		})
	}
}
