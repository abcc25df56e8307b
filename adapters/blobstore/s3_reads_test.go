package blobstore_test

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
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// readObject opens an object and reads it to its end.
func readObject(t *testing.T, source pipeline.Source, o pipeline.Object) (string, pipeline.Object, error) {
	t.Helper()
	r, err := source.Open(t.Context(), o)
	if err != nil {
		return "", o, err
	}
	content, err := io.ReadAll(r)
	return string(content), r.Object(), errors.Join(err, r.Close())
}

// mustRead asks for the content of an object.
func mustRead(t *testing.T, source pipeline.Source, o pipeline.Object, want string) pipeline.Object {
	t.Helper()
	got, opened, err := readObject(t, source, o)
	if err != nil || got != want {
		t.Errorf("%q: got %d bytes, %v; want %d", o.Key, len(got), err, len(want))
	}
	return opened
}

func isA(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("got %v, want %v", err, sentinel)
	}
}

func TestPinnedByVersion(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), true)
	store := b.open(t, blobstore.Config{})
	first := b.put(t, "a", strings.Repeat("first", 1<<18))
	r, err := store.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	second := b.put(t, "a", "second")
	third := b.put(t, "a", "third")
	// What was opened is read to its end, whatever happens to the key.
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(content) != strings.Repeat("first", 1<<18) {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
	for _, v := range []struct {
		o    pipeline.Object
		want string
	}{{second, "second"}, {third, "third"}, {pipeline.Object{Bucket: b.name, Key: "a", VersionID: second.VersionID}, "second"}} {
		opened := mustRead(t, store, v.o, v.want)
		if opened.VersionID != v.o.VersionID || opened.ETag == "" || opened.Size != int64(len(v.want)) {
			t.Errorf("opened %+v", opened)
		}
	}
	now, err := store.Stat(t.Context(), first)
	if err != nil || now.VersionID != third.VersionID || now.SameVersion(first) {
		t.Errorf("Stat: %+v, %v; want the current version %s", now, err, third.VersionID)
	}

	b.delete(t, "a", second.VersionID)
	_, err = store.Open(t.Context(), second)
	isA(t, err, pipeline.ErrNotFound) // the version is gone
	out, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Stat(t.Context(), first)
	isA(t, err, pipeline.ErrNotFound) // what is current is a marker
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.name, Key: "a", VersionID: *out.VersionId})
	isA(t, err, pipeline.ErrNotFound)
	mustRead(t, store, first, strings.Repeat("first", 1<<18))

	// An id that the store can never have given.
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.name, Key: "a", VersionID: "no such id"})
	if pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

// The version that S3 calls "null" is overwritten in place: its id says nothing.
func TestNullVersion(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	store := b.open(t, blobstore.Config{})
	old := b.put(t, "a", "old")
	b.setVersioning(t, types.BucketVersioningStatusEnabled)
	b.setVersioning(t, types.BucketVersioningStatusSuspended)
	old.VersionID = "null"
	if now := mustRead(t, store, old, "old"); now.VersionID != "" || !now.SameVersion(old) {
		t.Errorf("opened %+v", now)
	}
	fresh := b.put(t, "a", "fresh")
	_, err := store.Open(t.Context(), old)
	isA(t, err, pipeline.ErrChanged)
	fresh.VersionID = "null"
	mustRead(t, store, fresh, "fresh")
	if now, err := store.Stat(t.Context(), fresh); err != nil || now.SameVersion(old) || !now.SameVersion(fresh) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}

// Overwritten twice while it is read: never a mixture.
func TestOverwrittenWhileRead(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for name, versioned := range map[string]bool{"by ETag": false, "by version": true} {
		t.Run(name, func(t *testing.T) {
			var overwrite func()
			b := makeBucket(t, server, versioned)
			cut := cutter{left: []int64{70_000, 1 << 40}}
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Header.Get("Range") != "" {
					overwrite()
				}
				cut.serve(w, r, next)
			})
			old := b.put(t, "a", strings.Repeat("x", 200_000))
			overwrite = func() {
				b.put(t, "a", strings.Repeat("y", 200_000))
				b.put(t, "a", strings.Repeat("z", 200_000))
			}
			content, _, err := readObject(t, b.through(proxy).open(t, blobstore.Config{}), old)
			if versioned {
				if err != nil || content != strings.Repeat("x", 200_000) {
					t.Errorf("got %d bytes, %v", len(content), err)
				}
				return
			}
			isA(t, err, pipeline.ErrChanged)
			if strings.Trim(content, "x") != "" {
				t.Error("a mixture was read")
			}
		})
	}
}

func TestArchived(t *testing.T) {
	b := makeBucket(t, awsenv.StartMoto(t), false)
	store := b.open(t, blobstore.Config{})
	o := b.put(t, "a", "content", func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier })
	_, err := store.Open(t.Context(), o)
	isA(t, err, pipeline.ErrArchived)
	if now, err := store.Stat(t.Context(), o); err != nil || !now.SameVersion(o) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}
