package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestPinnedByVersion(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), true)
	store := b.Open(t, blobstore.Config{})
	first := b.Put(t, "a", strings.Repeat("first", 1<<18))
	r, err := store.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	second := b.Put(t, "a", "second")
	third := b.Put(t, "a", "third")
	// What was opened is read to its end, whatever happens to the key.
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(content) != strings.Repeat("first", 1<<18) {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
	for _, v := range []struct {
		o    pipeline.Object
		want string
	}{{second, "second"}, {third, "third"}, {pipeline.Object{Bucket: b.Name, Key: "a", VersionID: second.VersionID}, "second"}} {
		opened := drivertest.MustRead(t, store, v.o, v.want)
		if opened.VersionID != v.o.VersionID || opened.ETag == "" || opened.Size != int64(len(v.want)) {
			t.Errorf("opened %+v", opened)
		}
	}
	now, err := store.Stat(t.Context(), first)
	if err != nil || now.VersionID != third.VersionID || now.SameVersion(first) {
		t.Errorf("Stat: %+v, %v; want the current version %s", now, err, third.VersionID)
	}

	b.Delete(t, "a", second.VersionID)
	_, err = store.Open(t.Context(), second)
	drivertest.IsA(t, err, pipeline.ErrNotFound) // the version is gone
	out, err := b.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Name, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Stat(t.Context(), first)
	drivertest.IsA(t, err, pipeline.ErrNotFound) // what is current is a marker
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.Name, Key: "a", VersionID: *out.VersionId})
	drivertest.IsA(t, err, pipeline.ErrNotFound)
	drivertest.MustRead(t, store, first, strings.Repeat("first", 1<<18))

	// The store never issues such an id.
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.Name, Key: "a", VersionID: "no such id"})
	if pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

// The version that S3 calls "null" is overwritten in place: its id identifies nothing.
func TestNullVersion(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	store := b.Open(t, blobstore.Config{})
	old := b.Put(t, "a", "old")
	b.SetVersioning(t, types.BucketVersioningStatusEnabled)
	b.SetVersioning(t, types.BucketVersioningStatusSuspended)
	old.VersionID = "null"
	if now := drivertest.MustRead(t, store, old, "old"); now.VersionID != "" || !now.SameVersion(old) {
		t.Errorf("opened %+v", now)
	}
	fresh := b.Put(t, "a", "fresh")
	_, err := store.Open(t.Context(), old)
	drivertest.IsA(t, err, pipeline.ErrChanged)
	fresh.VersionID = "null"
	drivertest.MustRead(t, store, fresh, "fresh")
	if now, err := store.Stat(t.Context(), fresh); err != nil || now.SameVersion(old) || !now.SameVersion(fresh) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}

// An object is overwritten twice while it is read: the content is never a mixture.
func TestOverwrittenWhileRead(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for name, versioned := range map[string]bool{"by ETag": false, "by version": true} {
		t.Run(name, func(t *testing.T) {
			var overwrite func()
			b := drivertest.MakeS3Bucket(t, server, versioned)
			cut := drivertest.Cutter{Left: []int64{70_000, 1 << 40}}
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Header.Get("Range") != "" {
					overwrite()
				}
				cut.Serve(w, r, next)
			})
			old := b.Put(t, "a", strings.Repeat("x", 200_000))
			overwrite = func() {
				b.Put(t, "a", strings.Repeat("y", 200_000))
				b.Put(t, "a", strings.Repeat("z", 200_000))
			}
			content, _, err := drivertest.ReadObject(t, b.Through(proxy).Open(t, blobstore.Config{}), old)
			if versioned {
				if err != nil || content != strings.Repeat("x", 200_000) {
					t.Errorf("got %d bytes, %v", len(content), err)
				}
				return
			}
			drivertest.IsA(t, err, pipeline.ErrChanged)
			if strings.Trim(content, "x") != "" {
				t.Error("a mixture was read")
			}
		})
	}
}

func TestArchived(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartMoto(t), false)
	store := b.Open(t, blobstore.Config{})
	o := b.Put(t, "a", "content", func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier })
	_, err := store.Open(t.Context(), o)
	drivertest.IsA(t, err, pipeline.ErrArchived)
	if now, err := store.Stat(t.Context(), o); err != nil || !now.SameVersion(o) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}
