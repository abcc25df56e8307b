package gcs_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) { drivertest.Main(m) }

func TestStore(t *testing.T) {
	server := awsenv.StartFakeGCS(t)
	t.Run("by generation", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			return drivertest.MakeGCSBucket(t, server, false).Harness(blobstore.Layout{})
		})
	})
	t.Run("with old generations", func(t *testing.T) {
		pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
			b := drivertest.MakeGCSBucket(t, server, true)
			h := b.Harness(drivertest.MustLayout(t, "{dir}/.sums/{base}.{alg}"))
			h.Versions = true
			h.Delete = b.Erase
			return h
		})
	})
}

func TestCloud(t *testing.T) {
	drivertest.TestCloud(t, func(t *testing.T) drivertest.Cloud {
		server := awsenv.StartFakeGCS(t)
		b := drivertest.MakeGCSBucket(t, server, false)
		return drivertest.Cloud{
			Put: func(key, content string) pipeline.Object { return b.Put(t, &storage.Object{Name: key}, content) },
			Through: func(handle func(http.ResponseWriter, *http.Request, http.Handler)) *blobstore.Store {
				return b.Through(server.Before(t, handle)).Open(t, blobstore.Config{})
			},
			Missing: func() *blobstore.Store {
				return drivertest.OpenURL(t, "gs://nosuch?anonymous=true&endpoint="+server.URL, b.Name, blobstore.Config{})
			},
		}
	})
}

func TestClaims(t *testing.T) {
	sum := md5.Sum([]byte(drivertest.Packed))
	sum64 := base64.StdEncoding.EncodeToString(sum[:])
	crc64 := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(drivertest.Packed), crc32.MakeTable(crc32.Castagnoli))))
	b := drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false)
	o := b.Put(t, &storage.Object{Name: "a", ContentEncoding: "gzip", Metadata: map[string]string{"md5chksum": sum64}}, drivertest.Packed)
	store := b.Open(t, blobstore.Config{})
	drivertest.MustRead(t, store, o, drivertest.Packed)
	want := []pipeline.Claim{drivertest.Claim("md5chksum", "md5", sum64), drivertest.Claim("md5hash", "md5", sum64), drivertest.Claim("crc32c", "crc32c", crc64)}
	if diff := cmp.Diff(want, drivertest.ClaimsOf(t, store, o)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	for _, generation := range []string{"null", "-1", "0", "1.5"} {
		o.VersionID = generation
		if _, err := store.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("generation %s: got %v", generation, err)
		}
	}
}

func TestOpen(t *testing.T) {
	for raw, says := range map[string]string{
		"gs://":                       "gs://NAME",
		"gs://bucket/prefix":          "gs://NAME",
		"gs://bucket?nosuch=1":        "valid are anonymous, endpoint",
		"gs://bucket?anonymous=maybe": "true or false",
		"gs://b?endpoint=http://x":    "anonymous=true",
	} {
		drivertest.Refused(t, raw, says)
	}
	credentials := filepath.Join(t.TempDir(), "credentials.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials)
	drivertest.Refused(t, "gs://bucket", "credentials.json")
	drivertest.WriteFile(t, credentials, `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`)
	drivertest.OpenURL(t, "gs://bucket", "b", blobstore.Config{})
	for _, records := range []blobstore.RecordOptions{{RecordOptions: driver.RecordOptions{KMSKey: "k"}}, {To: []string{blobstore.ToTags}}} {
		if _, err := drivertest.Drivers.Open(t.Context(), "gs://bucket?anonymous=true", "b", blobstore.Config{Records: records}); err == nil || !strings.Contains(err.Error(), "Google Cloud Storage") {
			t.Errorf("%+v: got %v", records, err)
		}
	}
}

func TestItems(t *testing.T) {
	drivertest.TestItems(t, drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false).Harness(blobstore.Layout{}))
}

func TestReports(t *testing.T) {
	drivertest.TestReports(t, drivertest.MakeGCSBucket(t, awsenv.StartFakeGCS(t), false).Address())
}
