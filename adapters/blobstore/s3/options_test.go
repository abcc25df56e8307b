package s3_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// encrypted stands in for S3 with objects that are encrypted with a customer's key, which
// neither versitygw nor moto supports: an object that was put with a key needs it, another
// object refuses it.
func encrypted(t *testing.T, server awsenv.Server) awsenv.Server {
	var keys sync.Map // path → MD5 of the key
	return server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		const header = "X-Amz-Server-Side-Encryption-Customer-"
		given := r.Header.Get(header + "Key-Md5")
		if given != "" {
			key, err := base64.StdEncoding.DecodeString(r.Header.Get(header + "Key"))
			if sum := md5.Sum(key); err != nil || len(key) != 32 || base64.StdEncoding.EncodeToString(sum[:]) != given || r.Header.Get(header+"Algorithm") != "AES256" {
				drivertest.Answer(w, 400, "InvalidArgument")
				return
			}
		}
		if r.Method == http.MethodPut {
			keys.Store(r.URL.Path, given)
			next.ServeHTTP(w, r)
			return
		}
		needed, _ := keys.LoadOrStore(r.URL.Path, "")
		switch {
		case needed == given:
			next.ServeHTTP(w, r)
		case needed == "" || given == "":
			drivertest.Answer(w, 400, "InvalidRequest")
		default:
			drivertest.Answer(w, 403, "AccessDenied")
		}
	})
}

func TestCustomerKey(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, encrypted(t, awsenv.StartVersitygw(t)), false)
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"raw": string(key), "base64": base64.StdEncoding.EncodeToString(key) + "\n", "wrong": "too short",
	} {
		drivertest.WriteFile(t, filepath.Join(dir, name), content)
		got, err := s3driver.ReadCustomerKey(filepath.Join(dir, name))
		if ok := name != "wrong"; ok != (err == nil) || ok && !bytes.Equal(got, key) {
			t.Errorf("%s: got %x, %v", name, got, err)
		}
	}
	if _, err := s3driver.ReadCustomerKey(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}

	sum := md5.Sum(key)
	o := b.Put(t, "secret", "content", func(in *s3.PutObjectInput) {
		in.SSECustomerAlgorithm, in.SSECustomerKey = aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(key))
		in.SSECustomerKeyMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	})
	if _, err := b.Open(t, blobstore.Config{}).Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "--sse-c-key-file") {
		t.Errorf("without the key: %v", err)
	}

	store := b.Open(t, blobstore.Config{}, s3driver.Options{CustomerKey: key})
	records := store.Bucket().Records
	plain := b.Put(t, "plain", "open to all")
	for o, content := range map[pipeline.Object]string{o: "content", plain: "open to all"} {
		drivertest.MustRead(t, store, o, content)
		if now, err := store.Stat(t.Context(), o); err != nil || !now.SameVersion(o) {
			t.Errorf("Stat: %+v, %v", now, err)
		}
		if err := pipelinetest.Save(t.Context(), records, drivertest.Record(o)); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, _, err := records.Lookup(t.Context(), o); err != nil {
			t.Errorf("Lookup: %v", err)
		}
		if _, ok := b.Get(t, o.Key+".md5"); !ok {
			t.Errorf("the record of %s cannot be read without the key", o.Key)
		}
	}
	_, err := store.Stat(t.Context(), pipeline.Object{Key: "gone"})
	drivertest.IsA(t, err, pipeline.ErrNotFound)

	other := b.Open(t, blobstore.Config{}, s3driver.Options{CustomerKey: bytes.Repeat([]byte("k"), 32)})
	if _, err := other.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("with another key: %v", err)
	}
}

func TestRequesterPays(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", "content")
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("X-Amz-Request-Payer") != "requester" {
			drivertest.Answer(w, 403, "AccessDenied")
			return
		}
		next.ServeHTTP(w, r)
	})
	b = b.Through(proxy)
	if _, err := b.Open(t, blobstore.Config{}).Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v, want a transient error", err)
	}
	store := b.Open(t, blobstore.Config{}, s3driver.Options{RequesterPays: true})
	drivertest.MustRead(t, store, o, "content")
	records := store.Bucket().Records
	_, statErr := store.Stat(t.Context(), o)
	saveErr := pipelinetest.Save(t.Context(), records, drivertest.Record(o))
	_, _, lookupErr := records.Lookup(t.Context(), o)
	_, removeErr := pipelinetest.Remove(t.Context(), records, o)
	for _, err := range store.List(t.Context()) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(statErr, saveErr, lookupErr, removeErr, store.Check(t.Context())); err != nil {
		t.Error(err)
	}
}
