package handlers_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

// The handler writes the record of the object that an event names.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("hello\n"), 0o666); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	store, err := blobstore.Drivers{folder.Driver}.Open(ctx, "file://"+filepath.ToSlash(dir), "inbox", blobstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	handle, err := handlers.New(handlers.Config{
		Buckets:    map[string]pipeline.Bucket{"inbox": store.Bucket()},
		Algorithms: []string{"md5"},
		Publish: func(_ context.Context, r pipeline.Result) error {
			fmt.Println(r.Outcome, r.Record.Source.Key, r.Record.Digests["md5"])
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	event := pipeline.Event{Kind: pipeline.Created, Object: pipeline.Object{Bucket: "inbox", Key: "hello.txt", Size: pipeline.UnknownSize}}
	for range 2 { // the second time, the record is there
		if err := handle(ctx, event); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// recorded hello.txt b1946ac92492d2347c6235b4d2611184
	// current hello.txt b1946ac92492d2347c6235b4d2611184
}
