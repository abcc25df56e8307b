package blobstore_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// An object is read, and its record is written next to it.
func ExampleDrivers_Open() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello\n"), 0o666); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	drivers := blobstore.Drivers{folder.Driver, memory.Driver}
	store, err := drivers.Open(ctx, "file://"+filepath.ToSlash(dir), "inbox", blobstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	bucket := store.Bucket()

	r, err := bucket.Source.Open(ctx, pipeline.Object{Bucket: "inbox", Key: "hello.txt", Size: pipeline.UnknownSize})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	d, err := digest.New("md5")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := digest.Copy(ctx, d, r); err != nil {
		log.Fatal(err)
	}
	record := pipeline.Record{Source: r.Object(), Digests: d.Sums(), ComputedAt: time.Now()}
	if err := pipelinetest.Save(ctx, bucket.Records, record); err != nil {
		log.Fatal(err)
	}

	line, err := os.Open(filepath.Join(dir, "hello.txt.md5"))
	if err != nil {
		log.Fatal(err)
	}
	defer line.Close()
	if _, err := io.Copy(os.Stdout, line); err != nil {
		log.Fatal(err)
	}
	// Output: b1946ac92492d2347c6235b4d2611184  hello.txt
}

func ExampleLayout() {
	layout, err := blobstore.ParseLayout("{dir}/.sums/{base}.{alg}")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(layout.RecordKey("photos/a.jpg", "md5"))
	key, algorithm, ok := layout.ObjectKey("photos/.sums/a.jpg.md5")
	fmt.Println(key, algorithm, ok)
	// Output:
	// photos/.sums/a.jpg.md5
	// photos/a.jpg md5 true
}
