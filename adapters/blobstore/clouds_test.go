package blobstore_test

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/google/go-cmp/cmp"
	gcs "google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// cloud is a bucket of a cloud that is not AWS, as users and as the pipeline have it.
type cloud struct {
	put func(key, content string) pipeline.Object
	// through opens the bucket behind a proxy.
	through func(handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) *blobstore.Store
	// missing opens one that does not exist.
	missing func() *blobstore.Store
}

// onClouds runs a test on each.
func onClouds(t *testing.T, test func(t *testing.T, c cloud)) {
	t.Run("GCS", func(t *testing.T) {
		server := awsenv.StartFakeGCS(t)
		b := makeGCSBucket(t, server, false)
		test(t, cloud{
			put: func(key, content string) pipeline.Object { return b.put(t, &gcs.Object{Name: key}, content) },
			through: func(handle func(http.ResponseWriter, *http.Request, http.Handler)) *blobstore.Store {
				return b.through(server.Before(t, handle)).open(t, blobstore.Config{})
			},
			missing: func() *blobstore.Store {
				return openURL(t, "gs://nosuch?anonymous=true&endpoint="+server.URL, b.name, blobstore.Config{})
			},
		})
	})
	t.Run("Azure", func(t *testing.T) {
		server := awsenv.StartAzurite(t)
		b := makeContainer(t, server)
		test(t, cloud{
			put: func(key, content string) pipeline.Object { return b.put(t, key, content, nil) },
			through: func(handle func(http.ResponseWriter, *http.Request, http.Handler)) *blobstore.Store {
				return b.through(server.Before(t, handle)).open(t, blobstore.Config{})
			},
			missing: func() *blobstore.Store {
				b.name, b.Server = "nosuch", server
				return b.open(t, blobstore.Config{})
			},
		})
	})
}

// asksForContent tells requests for content from those for what Google says of it.
func asksForContent(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("alt") != "json" && !r.URL.Query().Has("comp")
}

// A body that breaks off goes on at the byte where it stopped.
func TestCloudBodiesThatBreakOff(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		content := make([]byte, 1<<20)
		if _, err := rand.Read(content); err != nil {
			t.Fatal(err)
		}
		o := c.put("a", string(content))
		cut := cutter{left: []int64{1, 1000, 1, 500_000}}
		store := c.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if asksForContent(r) {
				cut.serve(w, r, next)
			} else {
				next.ServeHTTP(w, r)
			}
		})
		mustRead(t, store, o, string(content))
		if len(cut.left) != 0 || cut.sent.Load() != 1<<20 {
			t.Errorf("%d cuts did not happen, %d bytes were sent", len(cut.left), cut.sent.Load())
		}
	})
}

// What is replaced or deleted after its body broke off is another object.
func TestCloudObjectsReplacedWhileRead(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		o := c.put("a", strings.Repeat("x", 1<<16))
		cut := cutter{left: []int64{1000}}
		asked := 0
		store := c.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !asksForContent(r) {
				next.ServeHTTP(w, r)
				return
			}
			if asked++; asked == 2 {
				c.put("a", strings.Repeat("y", 1<<16))
			}
			cut.serve(w, r, next)
		})
		got, _, err := readObject(t, store, o)
		isA(t, err, pipeline.ErrChanged)
		if strings.Contains(got, "y") {
			t.Error("it is a mixture")
		}
	})
}

// A store that is busy is asked again.
func TestCloudIsBusy(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		o := c.put("a", "content")
		var mu sync.Mutex
		refused := make(map[string]bool)
		store := c.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			mu.Lock()
			again := refused[r.Method+r.URL.String()]
			refused[r.Method+r.URL.String()] = true
			mu.Unlock()
			if !again && r.Method == http.MethodGet {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		})
		mustRead(t, store, o, "content")
		if len(refused) == 0 {
			t.Error("nothing was refused")
		}
	})
}

// A body that never gets on is given up, and says how far it came.
func TestCloudBodyThatNeverGetsOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds between its attempts")
	}
	onClouds(t, func(t *testing.T, c cloud) {
		o := c.put("a", strings.Repeat("x", 5000))
		cut := cutter{left: []int64{1000}}
		store := c.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if asksForContent(r) && r.Header.Get("Range") != "" && r.Header.Get("Range") != "bytes=0-" || r.Header.Get("X-Ms-Range") != "" {
				w.WriteHeader(http.StatusPartialContent)
				panic(http.ErrAbortHandler)
			}
			if asksForContent(r) {
				cut.serve(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
		_, _, err := readObject(t, store, o)
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(fmt.Sprint(err), "broke off at byte 1000 of 5000") {
			t.Errorf("got %v", err)
		}
	})
}

// Who is denied access must not take the object for gone.
func TestCloudAccessDenied(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		o := c.put("a", "content")
		store := c.through(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusForbidden) })
		_, openErr := store.Open(t.Context(), o)
		_, statErr := store.Stat(t.Context(), o)
		_, lookupErr := store.Bucket().Records.Lookup(t.Context(), o)
		saveErr := store.Bucket().Records.Save(t.Context(), record(o))
		for what, err := range map[string]error{
			"open": openErr, "stat": statErr, "lookup": lookupErr, "save": saveErr, "check": store.Check(t.Context()),
		} {
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(fmt.Sprint(err), "is denied; it takes") {
				t.Errorf("%s: got %v", what, err)
			}
		}
		// Whoever never allows checkpoints is not to wait forever.
		if _, err := store.Bucket().Checkpoints.Load(t.Context(), o); pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("checkpoint: got %v", err)
		}
	})
}

// Nothing is superseded by the loss of a bucket.
func TestCloudBucketIsMissing(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		store := c.missing()
		o := pipeline.Object{Bucket: "b", Key: "a", ETag: "e"}
		_, openErr := store.Open(t.Context(), o)
		_, statErr := store.Stat(t.Context(), o)
		var listErr error
		for _, err := range store.List(t.Context()) {
			listErr = err
		}
		for what, err := range map[string]error{
			"open": openErr, "stat": statErr, "save": store.Bucket().Records.Save(t.Context(), record(o)), "list": listErr, "check": store.Check(t.Context()),
		} {
			if pipeline.Classify(err) != pipeline.ClassTransient || err == nil {
				t.Errorf("%s: got %v", what, err)
			}
		}
		if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no ") {
			t.Errorf("check: got %v", err)
		}
	})
}

func TestCloudListing(t *testing.T) {
	onClouds(t, func(t *testing.T, c cloud) {
		store := c.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
		want := []pipeline.Object{c.put("a", "content"), c.put("dir/b c", ""), c.put("dir/ü", "x")}
		for _, o := range want {
			if err := store.Bucket().Records.Save(t.Context(), record(o)); err != nil {
				t.Fatal(err)
			}
		}
		c.put("folder/", "")
		var got []pipeline.Object
		for o, err := range store.List(t.Context()) {
			if o.Key == "folder/" {
				isA(t, err, pipeline.ErrFiltered)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		if err := store.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// packed looks like content that a store might unpack on its way.
const packed = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00"

func TestCloudClaims(t *testing.T) {
	sum := md5.Sum([]byte(packed))
	sum64 := base64.StdEncoding.EncodeToString(sum[:])
	crc64 := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(packed), crc32.MakeTable(crc32.Castagnoli))))
	claim := func(name, algorithm, value string) pipeline.Claim {
		return pipeline.Claim{Name: name, Claim: digest.Claim{Algorithm: algorithm, Value: value}}
	}
	check := func(t *testing.T, store *blobstore.Store, o pipeline.Object, want ...pipeline.Claim) {
		t.Helper()
		mustRead(t, store, o, packed)
		if diff := cmp.Diff(want, claimsOf(t, store, o)); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
	}
	t.Run("GCS", func(t *testing.T) {
		b := makeGCSBucket(t, awsenv.StartFakeGCS(t), false)
		o := b.put(t, &gcs.Object{Name: "a", ContentEncoding: "gzip", Metadata: map[string]string{"md5chksum": sum64}}, packed)
		store := b.open(t, blobstore.Config{})
		check(t, store, o, claim("md5chksum", "md5", sum64), claim("md5hash", "md5", sum64), claim("crc32c", "crc32c", crc64))
		for _, generation := range []string{"null", "-1", "0", "1.5"} {
			o.VersionID = generation
			if _, err := store.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("generation %s: got %v", generation, err)
			}
		}
	})
	t.Run("Azure", func(t *testing.T) {
		b := makeContainer(t, awsenv.StartAzurite(t))
		gzip, checksum := "gzip", sum64
		o := b.put(t, "a", packed, &blockblob.UploadOptions{
			HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &gzip, BlobContentMD5: sum[:]},
			Metadata:    map[string]*string{"md5chksum": &checksum},
		})
		check(t, b.open(t, blobstore.Config{}), o, claim("md5chksum", "md5", sum64), claim("content-md5", "md5", fmt.Sprintf("%x", sum)))
	})
}

func TestOpenClouds(t *testing.T) {
	for raw, says := range map[string]string{
		"gs://":                       "gs://NAME",
		"gs://bucket/prefix":          "gs://NAME",
		"gs://bucket?nosuch=1":        "valid are anonymous, endpoint",
		"gs://bucket?anonymous=maybe": "true or false",
		"gs://b?endpoint=http://x":    "anonymous=true",
		"azblob://":                   "azblob://CONTAINER",
		"azblob://c?storage_account=evil.example/x": "no account is called",
		"azblob://container/prefix":                 "azblob://CONTAINER",
		"azblob://container?nosuch=1":               "nosuch",
		"nosuch://bucket":                           "azblob, ",
	} {
		if _, err := drivers.Open(t.Context(), raw, "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
	refused := func(raw, says string) {
		t.Helper()
		if _, err := drivers.Open(t.Context(), raw, "b", blobstore.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", raw, err, says)
		}
	}
	credentials := filepath.Join(t.TempDir(), "credentials.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials)
	refused("gs://bucket", "credentials.json")
	writeFile(t, credentials, `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`)
	if store, err := drivers.Open(t.Context(), "gs://bucket", "b", blobstore.Config{}); err != nil {
		t.Error(err)
	} else if err := store.Close(); err != nil {
		t.Error(err)
	}
	// A URL does not decide to whom a token is sent.
	t.Setenv("AZURE_STORAGE_KEY", "")
	refused("azblob://c?domain=evil.example", "only the environment decides")
	refused("azblob://c?protocol=http", "only the environment decides")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=secret")
	refused("azblob://c?localemu=true", "only the environment decides")
	refused("azblob://c?storage_account=another", "AZURE_STORAGE_ACCOUNT only")
	if store, err := drivers.Open(t.Context(), "azblob://c", "b", blobstore.Config{}); err != nil {
		t.Error(err)
	} else if err := store.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	t.Setenv("AZURE_STORAGE_KEY", awsenv.AzuriteKey) // whose account nobody knows
	refused("azblob://c?storage_account=photos&domain=evil.example", "only the environment decides")
	refused("azblob://c", "there is no account")
	for _, records := range []blobstore.RecordOptions{{RecordOptions: driver.RecordOptions{KMSKey: "k"}}, {To: []string{blobstore.ToTags}}} {
		if _, err := drivers.Open(t.Context(), "gs://bucket?anonymous=true", "b", blobstore.Config{Records: records}); err == nil || !strings.Contains(err.Error(), "on S3") {
			t.Errorf("%+v: got %v", records, err)
		}
	}
}

// Records may go from one cloud to another.
func TestRecordsInAnotherCloud(t *testing.T) {
	b, records := makeGCSBucket(t, awsenv.StartFakeGCS(t), false), makeContainer(t, awsenv.StartAzurite(t))
	store := b.open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: records.url()}})
	o := b.put(t, &gcs.Object{Name: "dir/a"}, "content")
	r, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if err := errors.Join(r.Close(), store.Check(t.Context()), store.Bucket().Records.Save(t.Context(), record(o))); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(records.keys(t)), fmt.Sprintf("[%s/dir/a.md5]", b.name); got != want {
		t.Errorf("the container holds %s, want %s", got, want)
	}
	if keys := b.keys(t); len(keys) != 1 {
		t.Errorf("the bucket holds %q", keys)
	}
}
