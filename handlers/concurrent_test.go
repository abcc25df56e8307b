package handlers_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
)

// TestConcurrentWorkers sends the events of one key late, twice and in any order to workers that share a
// bucket, while the object is overwritten, deleted and put back. At the end the record describes the last
// content, or is gone with the object.
func TestConcurrentWorkers(t *testing.T) {
	for name, sequenced := range map[string]bool{"sequencers": true, "no sequencers": false} {
		t.Run(name, func(t *testing.T) {
			for round := range 40 {
				concurrently(t, round, sequenced, round%4 == 0)
			}
		})
	}
}

func concurrently(t *testing.T, round int, sequenced, deletedLast bool) {
	bucket := memblob.OpenBucket(nil)
	shared := blobstore.New(memory.New(bucket), bucketName, blobstore.Config{})
	defer shared.Close()
	handle, err := handlers.New(handlers.Config{
		Buckets:    map[string]pipeline.Bucket{bucketName: shared.Bucket()},
		Algorithms: []string{"md5"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const changes = 8
	events := make(chan pipeline.Event, 2*changes)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for e := range events {
				for {
					err := handle(t.Context(), e)
					if c := pipeline.Classify(err); c == pipeline.ClassNone || c == pipeline.ClassSuperseded {
						break
					} else if c == pipeline.ClassPermanent {
						t.Errorf("%s: %v", e.ID, err)
						break
					}
				}
			}
		})
	}
	last := ""
	var late []pipeline.Event
	for i := range changes {
		o := pipeline.Object{Bucket: bucketName, Key: "a"}
		e := pipeline.Event{Kind: pipeline.Created, ID: fmt.Sprint(i)}
		if i == 2 || deletedLast && i == changes-1 {
			last, e.Kind = "", pipeline.Deleted
			if err := bucket.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		} else {
			last = fmt.Sprint("content ", round, i)
			if err := bucket.WriteAll(t.Context(), "a", []byte(last), nil); err != nil {
				t.Fatal(err)
			}
			if o, err = shared.Stat(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		if sequenced {
			o.Sequencer = fmt.Sprintf("%04X", i)
		}
		e.Object = o
		events <- e
		late = append(late, e)
	}
	rand.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, e := range late {
		events <- e
	}
	close(events)
	workers.Wait()

	record, _, err := shared.Bucket().Records.Lookup(t.Context(), pipeline.Object{Bucket: bucketName, Key: "a"})
	switch {
	case last == "" && errors.Is(err, pipeline.ErrNotFound): // none, as it must be
	case last == "" || err != nil || record.Digests["md5"] != md5sum(last):
		t.Errorf("round %d: record is %v (%v); the object is %q", round, record.Digests, err, last)
	}
}
