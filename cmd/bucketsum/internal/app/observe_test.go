package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// TestWorkerReadsWhatIsAtHand expects that an observed reader still offers ReadNow, which
// reads the part of a file that is already in memory.
func TestWorkerReadsWhatIsAtHand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	bucket, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(bucket, "inbox", blobstore.Config{})
	defer store.Close()
	measured, err := telemetry.New(t.Context(), telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer measured.Close()
	activity := live.NewActivity()
	read := func(b pipeline.Bucket) (string, error) {
		r, err := b.Source.Open(context.Background(), pipeline.Object{Bucket: "inbox", Key: "a", Size: pipeline.UnknownSize})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		now, ok := r.(digest.ReaderNow)
		if !ok {
			t.Fatalf("%T is no ReaderNow", r)
		}
		p := make([]byte, 100)
		n, err := now.ReadNow(p)
		if work := activity.Status().InWork; len(work) == 1 && work[0].Read != int64(n) {
			t.Errorf("%d of %d bytes count as read", work[0].Read, n)
		}
		return string(p[:n]), err
	}
	want, wantErr := read(store.Bucket()) // which the system may not have at hand
	got, err := read(pipeline.Observers(measured.Observer(), activity.Observer()).Bucket(store.Bucket()))
	if got != want || err != wantErr {
		t.Errorf("watched: %q, %v, want %q, %v", got, err, want, wantErr)
	}
}
