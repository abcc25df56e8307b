package blobstore_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/azure"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/adapters/blobstore/gcs"
	"github.com/bucketsum/bucketsum/adapters/blobstore/memory"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) {
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

var drivers = blobstore.Drivers{s3.Driver(s3.Options{}), gcs.Driver, azure.Driver, folder.Driver, memory.Driver}

func TestStore(t *testing.T) {
	for _, template := range []string{blobstore.DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}"} {
		layout := mustLayout(t, template)
		t.Run("folder "+layout.String(), func(t *testing.T) {
			pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store { return folderHarness(t, layout) })
		})
		t.Run("memory "+layout.String(), func(t *testing.T) {
			pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store { return memoryHarness(t, layout) })
		})
	}
}

func mustLayout(t testing.TB, template string) blobstore.Layout {
	t.Helper()
	layout, err := blobstore.ParseLayout(template)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

func openFolder(t testing.TB, dir string, c blobstore.Config) *blobstore.Store {
	t.Helper()
	bucket, err := folder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	store := blobstore.New(bucket, "inbox", c)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func folderHarness(t *testing.T, layout blobstore.Layout) pipelinetest.Store {
	dir := t.TempDir()
	return pipelinetest.Store{
		Name: "inbox",
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return openFolder(t, dir, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { writeFile(t, filepath.Join(dir, key), content) },
		Get: func(t *testing.T, key string) (string, bool) {
			content, err := os.ReadFile(filepath.Join(dir, key))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			return string(content), err == nil
		},
		Delete: func(t *testing.T, key string) {
			name := filepath.Join(dir, key)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			for name = filepath.Dir(name); name != dir && os.Remove(name) == nil; name = filepath.Dir(name) {
				continue // the folders that it leaves empty
			}
		},
		Keys: func(t *testing.T) []string { return userKeys(t, dir) },
	}
}

// userKeys returns what a user finds in a folder: all files but the hidden ones.
func userKeys(t testing.TB, dir string) []string {
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

func writeFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func memoryHarness(t *testing.T, layout blobstore.Layout) pipelinetest.Store {
	bucket := memblob.OpenBucket(nil)
	// Another process would write conditionally; memblob cannot, so that all
	// have to share one store.
	stores := make(map[string]*blobstore.Store)
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return pipelinetest.Store{
		Name: "memory",
		Open: func(_ *testing.T, algorithms ...string) pipeline.Bucket {
			name := strings.Join(algorithms, ",")
			if stores[name] == nil {
				stores[name] = blobstore.New(memory.New(bucket), "memory", blobstore.Config{Layout: layout, Algorithms: algorithms})
			}
			return stores[name].Bucket()
		},
		RecordKey: layout.RecordKey,
		Put: func(t *testing.T, key, content string) {
			if err := bucket.WriteAll(context.Background(), key, []byte(content), nil); err != nil {
				t.Fatal(err)
			}
		},
		Get: func(t *testing.T, key string) (string, bool) {
			content, err := bucket.ReadAll(context.Background(), key)
			if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				t.Error(err)
			}
			return string(content), err == nil
		},
		Delete: func(t *testing.T, key string) {
			if err := bucket.Delete(context.Background(), key); err != nil {
				t.Fatal(err)
			}
		},
		Keys: func(t *testing.T) []string {
			var keys []string
			for entries := bucket.List(nil); ; {
				entry, err := entries.Next(context.Background())
				if err != nil {
					return keys
				}
				keys = append(keys, entry.Key)
			}
		},
	}
}

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b#c?d")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	writeFile(t, filepath.Join(dir, "a"), "content")
	escaped := (&url.URL{Path: filepath.ToSlash(dir)}).EscapedPath()
	for _, ok := range []string{"file://" + escaped, "file://" + escaped + "/", "file://./a%20b%23c%3Fd", "mem://"} {
		store, err := drivers.Open(t.Context(), ok, "inbox", blobstore.Config{})
		if err != nil {
			t.Errorf("%s: %v", ok, err)
			continue
		}
		if _, err := store.Stat(t.Context(), pipeline.Object{Key: "a"}); ok != "mem://" && err != nil {
			t.Errorf("%s: %v", ok, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	for raw, says := range map[string]string{
		"file://host/dir":          "three slashes",
		"file:///dir?metadata=x":   "no parameters",
		"file:///dir#fragment":     "%23",
		"file://":                  "names no folder",
		"file:///no/such/folder":   "no such file",
		"file://" + escaped + "/a": "not a directory",
		"nosuch://x":               "valid are",
		"mem://x?bad=1":            "open bucket inbox",
		":":                        "bucket URL",
	} {
		if _, err := drivers.Open(t.Context(), raw, "inbox", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
}

func TestNameOf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for raw, want := range map[string]string{
		"s3://photos?region=eu-west-1": "photos",
		"file:///srv/in%20box":         "in box",
		"file:///srv/inbox/":           "inbox",
		"file://./sub":                 "sub",
		"file://.":                     "here",
		"file://other/sub":             "other",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := drivers.NameOf(u); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// A bucket that is gone altogether must not look like an object that is.
func TestClosedBucket(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	if err := bucket.Close(); err != nil {
		t.Fatal(err)
	}
	o := pipeline.Object{Bucket: "memory", Key: "a", ETag: "e"}
	b := store.Bucket()
	_, statErr := b.Source.Stat(t.Context(), o)
	_, openErr := b.Source.Open(t.Context(), o)
	_, lookupErr := b.Records.Lookup(t.Context(), o)
	_, removeErr := b.Records.Remove(t.Context(), o)
	for name, err := range map[string]error{
		"Stat": statErr, "Open": openErr, "Lookup": lookupErr, "Remove": removeErr,
		"Save": b.Records.Save(t.Context(), record(o)),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("%s: got %v, want a transient error", name, err)
		}
	}
	for o, err := range store.List(t.Context()) {
		if err == nil {
			t.Errorf("List: got %v, want an error", o)
		}
	}
}

func record(o pipeline.Object) pipeline.Record {
	return pipeline.Record{Source: o, Digests: map[string]string{"md5": strings.Repeat("0", 32)}}
}

func TestMarkersOfFolders(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	defer store.Close()
	if err := bucket.WriteAll(t.Context(), "folder/", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), pipeline.Object{Key: "folder/"}); !errors.Is(err, pipeline.ErrFiltered) {
		t.Errorf("got %v, want ErrFiltered", err)
	}
}

func TestListObjects(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	store := blobstore.New(memory.New(bucket), "memory", blobstore.Config{})
	defer store.Close()
	put := func(key string) {
		t.Helper()
		if err := bucket.WriteAll(t.Context(), key, []byte(path.Base(key)), nil); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, key := range manyKeys() {
		put(key)
		put(key + ".md5")
		want = append(want, key)
	}
	slices.Sort(want)
	var got []string
	for o, err := range store.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if now, err := store.Stat(t.Context(), o); err != nil || now != o || o.Bucket != "memory" {
			t.Fatalf("listed %+v, Stat: %+v, %v", o, now, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d objects, want %d, in order", len(got), len(want))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for o, err := range store.List(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v after the end of the context", o, err)
		}
	}
}

// manyKeys takes more than one page.
func manyKeys() []string {
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
