package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

// A file that is written to the folder becomes an S3 event on a queue in memory.
func ExampleFolder() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	queue := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	defer queue.Close()
	ctx, cancel := context.WithCancel(context.Background())
	messages, err := queue.Subscribe(ctx, "events")
	if err != nil {
		log.Fatal(err)
	}

	folder, err := watch.NewFolder(watch.Config{
		Dir: dir, Bucket: "inbox", Publisher: queue, Topic: "events", Settle: 10 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- folder.Run(ctx) }()
	<-folder.Ready()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello"), 0o666); err != nil {
		log.Fatal(err)
	}

	msg := <-messages
	msg.Ack()
	var event struct {
		DetailType string `json:"detail-type"`
		Detail     struct {
			Bucket struct{ Name string }
			Object struct {
				Key  string
				Size int64
			}
		}
	}
	if err := json.Unmarshal(msg.Payload, &event); err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.DetailType, event.Detail.Bucket.Name, event.Detail.Object.Key, event.Detail.Object.Size)
	cancel()
	if err := <-done; err != nil {
		log.Fatal(err)
	}
	// Output: Object Created inbox a.txt 5
}
