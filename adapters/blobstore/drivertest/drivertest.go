// Package drivertest has what the tests of drivers share: buckets on test servers as their
// users see them, and suites besides pipelinetest.TestStore.
package drivertest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/azure"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/blobstore/gcs"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Main runs the tests of a package without the settings that the SDKs find on this machine, and
// looks for goroutines that the tests leave behind.
func Main(m *testing.M) {
	// What the SDKs find on this machine must not decide.
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": awsenv.AccessKey, "AWS_SECRET_ACCESS_KEY": awsenv.SecretKey, "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "",
		"AZURE_STORAGE_ACCOUNT": awsenv.AzuriteAccount, "AZURE_STORAGE_KEY": awsenv.AzuriteKey, "AZURE_STORAGE_SAS_TOKEN": "",
		"AZURE_STORAGE_CONNECTION_STRING": "", "AZURE_STORAGEBLOB_CONNECTIONSTRING": "", "AZURE_STORAGE_DOMAIN": "",
		"AZURE_STORAGE_PROTOCOL": "", "STORAGE_EMULATOR_HOST": "",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// Drivers are all technologies.
var Drivers = blobstore.Drivers{s3.Driver(s3.Options{}), gcs.Driver, azure.Driver, folder.Driver, memory.Driver}

func MustLayout(t testing.TB, template string) blobstore.Layout {
	t.Helper()
	layout, err := blobstore.ParseLayout(template)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// OpenURL opens a bucket as the pipeline does.
func OpenURL(t testing.TB, url, name string, c blobstore.Config) *blobstore.Store {
	t.Helper()
	return openWith(t, Drivers, url, name, c)
}

func openWith(t testing.TB, drivers blobstore.Drivers, url, name string, c blobstore.Config) *blobstore.Store {
	t.Helper()
	store, err := drivers.Open(t.Context(), url, name, c)
	if err != nil {
		t.Fatal(err)
	}
	return closeAtEnd(t, store)
}

func OpenFolder(t testing.TB, dir string, c blobstore.Config) *blobstore.Store {
	t.Helper()
	bucket, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return closeAtEnd(t, blobstore.New(bucket, "inbox", c))
}

func closeAtEnd(t testing.TB, store *blobstore.Store) *blobstore.Store {
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// readAll returns the content of an object, and closes the body.
func readAll(t testing.TB, key string, body io.ReadCloser) string {
	t.Helper()
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
	}
	return string(content)
}

// UserKeys returns the files that a user sees in a folder: all except hidden ones.
func UserKeys(t testing.TB, dir string) []string {
	t.Helper()
	var keys []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == filebucket.Hidden {
			return fs.SkipDir
		}
		if err == nil && !e.IsDir() {
			keys = append(keys, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func WriteFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func Object(key string) pipeline.Object { return pipeline.Object{Bucket: "inbox", Key: key} }

func Record(o pipeline.Object) pipeline.Record {
	return pipeline.Record{Source: o, Digests: map[string]string{"md5": strings.Repeat("0", 32)}}
}

// SumOf returns a record of a version; its line differs for each version.
func SumOf(key, etag, sequencer string) pipeline.Record {
	o := Object(key)
	o.ETag, o.Sequencer = etag, sequencer
	digit := etag[len(etag)-1:]
	return pipeline.Record{Source: o, Digests: map[string]string{"md5": strings.Repeat(digit, 32)}}
}

func LineOf(r pipeline.Record) string {
	return r.Digests["md5"] + "  " + filepath.Base(r.Source.Key) + "\n"
}

// Read returns the content of an object, or the error.
func Read(t *testing.T, s pipeline.Source, key string) (string, error) {
	t.Helper()
	r, err := s.Open(t.Context(), Object(key))
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), errors.Join(err, r.Close())
}

// ReadObject opens an object and reads it to its end.
func ReadObject(t *testing.T, source pipeline.Source, o pipeline.Object) (string, pipeline.Object, error) {
	t.Helper()
	r, err := source.Open(t.Context(), o)
	if err != nil {
		return "", o, err
	}
	content, err := io.ReadAll(r)
	return string(content), r.Object(), errors.Join(err, r.Close())
}

// MustRead checks the content of an object.
func MustRead(t *testing.T, source pipeline.Source, o pipeline.Object, want string) pipeline.Object {
	t.Helper()
	got, opened, err := ReadObject(t, source, o)
	if err != nil || got != want {
		t.Errorf("%q: got %d bytes, %v; want %d", o.Key, len(got), err, len(want))
	}
	return opened
}

func IsA(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("got %v, want %v", err, sentinel)
	}
}

func ClaimsOf(t *testing.T, source pipeline.Source, o pipeline.Object) []pipeline.Claim {
	t.Helper()
	r, err := source.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Claims(t.Context())
}

func Answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>as told</Message></Error>", code)
}

// Refused checks that a URL is not opened, and what the error says.
func Refused(t *testing.T, rawURL, says string) {
	t.Helper()
	if _, err := Drivers.Open(t.Context(), rawURL, "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v, want an error that says %q", rawURL, err, says)
	}
}

// Packed looks like content that a store might unpack on its way.
const Packed = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00"

// Claim returns a claim without parts.
func Claim(name, algorithm, value string) pipeline.Claim {
	return pipeline.Claim{Name: name, Claim: digest.Claim{Algorithm: algorithm, Value: value}}
}

// ManyKeys returns keys that take more than one page of a listing.
func ManyKeys() []string {
	var keys []string
	for _, dir := range []string{"", "a/", "a-b/", "a/b/"} {
		for _, n := range strings.Split("0123456789abcdefghijklmnopqrstuvwxyz", "") {
			for _, m := range []string{"", ".x", "-y", "0", "z", "é", "_", " q"} {
				keys = append(keys, dir+"f"+n+m)
			}
		}
	}
	return keys
}
