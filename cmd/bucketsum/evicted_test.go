package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
)

// TestEvictedWhileHashing: the group gives up a worker that is in the middle of a
// large object. The work is done again, from its checkpoint on, and only then the
// event.
func TestEvictedWhileHashing(t *testing.T) {
	s := kafkatest.Start(t, 1)
	f := newFlow(t, kafkaURLs(s, "evicted"))
	var sum string
	f.dir, sum = sparse(t)
	f.url = "file://" + f.dir
	f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, "large", sum}] = true
	f.start("--checkpoint-above", "100MB", "--checkpoint-every", "16MiB")
	f.mustSend(created(f.bucket, "large"))
	f.until("hashing", func() bool { return f.logged(saved) > 1 })
	if _, err := os.Stat(filepath.Join(f.dir, "large.md5")); err == nil {
		t.Fatal("it was faster than the eviction, which proves nothing")
	}
	s.Evict("workers")
	f.until("noticing the eviction", func() bool { return f.logged("lease lost") > 0 })
	f.finish()
}
