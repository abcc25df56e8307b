package s3_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// before calls do once, before the first request of that method for that key reaches the
// server.
func before(t *testing.T, b drivertest.S3Bucket, method, key string, do func()) awsenv.Server {
	var done atomic.Bool
	return b.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == method && r.URL.Path == "/"+b.Name+"/"+key && done.CompareAndSwap(false, true) {
			do()
		}
		next.ServeHTTP(w, r)
	})
}

// version returns the record of one version of object a. The digest identifies the content.
func version(b drivertest.S3Bucket, sequencer, content string) pipeline.Record {
	return pipeline.Record{
		Source: pipeline.Object{
			Bucket: b.Name, Key: "a", Size: 1, ETag: content, VersionID: "version" + sequencer, Sequencer: sequencer,
		},
		Digests: map[string]string{"md5": strings.Repeat(content, 32)},
	}
}

// Two workers handle events of one object, and each looks at the record before the other writes
// it. The late one changes nothing and learns that it has to look again, whatever the sequencers are.
func TestLateWriter(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	type step func(t *testing.T, b drivertest.S3Bucket, r pipeline.Recorder) error
	save := func(sequencer, content string) step {
		return func(t *testing.T, b drivertest.S3Bucket, r pipeline.Recorder) error {
			return pipelinetest.Save(t.Context(), r, version(b, sequencer, content))
		}
	}
	remove := func(sequencer string) step {
		return func(t *testing.T, b drivertest.S3Bucket, r pipeline.Recorder) error {
			o := version(b, sequencer, "").Source
			o.ETag, o.VersionID = "", ""
			_, err := pipelinetest.Remove(t.Context(), r, o)
			return err
		}
	}
	for name, test := range map[string]struct {
		start   step
		worker  step   // it read the start
		method  string // of its request before which
		other   step   // does this
		last    string // sequencer of the record that stays; empty: no record
		content string
	}{
		"older creates":  {nil, save("01", "a"), "PUT", save("02", "b"), "02", "b"},
		"newer creates":  {nil, save("02", "b"), "PUT", save("01", "a"), "01", "a"},
		"older replaces": {save("01", "a"), save("02", "b"), "PUT", save("03", "c"), "03", "c"},
		"newer replaces": {save("01", "a"), save("03", "c"), "PUT", save("02", "b"), "02", "b"},
		"the same twice": {nil, save("01", "a"), "PUT", save("01", "a"), "01", "a"},
		// To S3, the record of the third looks like that of the first.
		"the first content again":           {save("01", "a"), save("02", "b"), "PUT", save("03", "a"), "03", "a"},
		"the first content again, and late": {save("01", "a"), save("03", "a"), "PUT", save("02", "b"), "02", "b"},
		"replaces what is removed":          {save("01", "a"), save("03", "c"), "PUT", remove("02"), "", ""},
		"removes what is replaced":          {save("01", "a"), remove("02"), "DELETE", save("03", "c"), "03", "c"},
		"removes what looks the same":       {save("01", "a"), remove("02"), "DELETE", save("03", "a"), "03", "a"},
		"removes what has become older":     {save("01", "a"), remove("03"), "DELETE", save("02", "b"), "02", "b"},
		"removes what is removed":           {save("01", "a"), remove("02"), "DELETE", remove("03"), "", ""},
	} {
		for _, known := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := drivertest.MakeS3Bucket(t, server, false)
				other := b.Open(t, blobstore.Config{}).Bucket().Records
				if test.start != nil {
					if err := test.start(t, b, other); err != nil {
						t.Fatal(err)
					}
				}
				worker := b.Through(before(t, b, test.method, "a.md5", func() {
					if err := test.other(t, b, other); err != nil {
						t.Error(err)
					}
				})).Open(t, blobstore.Config{}).Bucket().Records
				if known {
					// From its first record on, the worker knows what the store can do.
					r := version(b, "01", "a")
					r.Source.Key = "first"
					if err := pipelinetest.Save(t.Context(), worker, r); err != nil {
						t.Fatal(err)
					}
				}
				err := test.worker(t, b, worker)
				if twice := name == "removes what is removed"; twice && err != nil || !twice && !errors.Is(err, pipeline.ErrChanged) {
					t.Errorf("the worker got %v", err)
				}
				got, _, err := other.Lookup(t.Context(), version(b, "", "").Source)
				if errors.Is(err, pipeline.ErrNotFound) {
					err = nil
				}
				want := pipeline.Record{}
				if test.last != "" {
					want = version(b, test.last, test.content)
				}
				if err != nil || got.Source != want.Source || got.Digests["md5"] != want.Digests["md5"] {
					t.Errorf("the record is %+v, %v; want that of %s", got, err, test.last)
				}
			})
		}
	}
}

// The answer to a write gets lost: the record stays, and this is not a failure.
func TestLostAnswers(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	var lost atomic.Int64
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet && lost.Add(1)%2 == 1 {
			next.ServeHTTP(discard{}, r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
	records := b.Through(proxy).Open(t, blobstore.Config{}).Bucket().Records
	for _, sequencer := range []string{"01", "02", "03"} {
		want := version(b, sequencer, "a")
		// The client writes again, and its own record stands in the way.
		if err := pipelinetest.Save(t.Context(), records, want); err != nil && !errors.Is(err, pipeline.ErrChanged) {
			t.Errorf("%s: %v", sequencer, err)
		}
		if got, _, err := records.Lookup(t.Context(), want.Source); err != nil || got.Source != want.Source {
			t.Errorf("%s: %+v, %v", sequencer, got, err)
		}
	}
	if _, err := pipelinetest.Remove(t.Context(), records, version(b, "04", "").Source); err != nil {
		t.Error(err)
	}
	if keys := b.Keys(t); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}

// discard is the writer of an answer that does not reach the client.
type discard struct{}

func (discard) Header() http.Header { return make(http.Header) }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (discard) WriteHeader(int) {}

// If a record bucket cannot be written to, the error is transient and says why.
func TestRecordBucketWithoutPermission(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b, records := drivertest.MakeS3Bucket(t, server, false), drivertest.MakeS3Bucket(t, server, false)
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut || r.Method == http.MethodDelete {
			drivertest.Answer(w, 403, "AccessDenied")
			return
		}
		next.ServeHTTP(w, r)
	})
	c := blobstore.Config{Records: blobstore.RecordOptions{Bucket: records.Through(proxy).Address()}}
	store := b.Open(t, c)
	if err := store.Check(t.Context()); err != nil {
		t.Errorf("what cannot be told without writing: %v", err)
	}
	o := b.Put(t, "a", "content")
	err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o))
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "s3:PutObject") || !strings.Contains(err.Error(), records.Name) {
		t.Errorf("got %v", err)
	}
	c.Records.Bucket = records.Address()
	if err := pipelinetest.Save(t.Context(), b.Open(t, c).Bucket().Records, drivertest.Record(o)); err != nil {
		t.Fatal(err)
	}
	_, err = pipelinetest.Remove(t.Context(), store.Bucket().Records, o)
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "s3:DeleteObject") {
		t.Errorf("got %v", err)
	}
}

// Several buckets keep their records in one.
func TestRecordOptions(t *testing.T) {
	server := awsenv.StartMoto(t)
	records := drivertest.MakeS3Bucket(t, server, false)
	var heads []*s3.HeadObjectOutput
	for _, b := range []drivertest.S3Bucket{drivertest.MakeS3Bucket(t, server, false), drivertest.MakeS3Bucket(t, server, false)} {
		store := b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{
			Bucket: records.Address(),
			RecordOptions: driver.RecordOptions{
				KMSKey: "alias/aws/s3", StorageClass: "STANDARD_IA", Tags: map[string]string{"made by": "bucketsum + co=1", "team": "ü"},
			},
		}})
		o := b.Put(t, "dir/a", "content of "+b.Name)
		if err := errors.Join(store.Check(t.Context()), pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o))); err != nil {
			t.Fatal(err)
		}
		key := b.Name + "/dir/a.md5"
		head, err := records.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &records.Name, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
		tags, err := records.Client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &records.Name, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for _, tag := range tags.TagSet {
			got[*tag.Key] = *tag.Value
		}
		if len(got) != 2 || got["made by"] != "bucketsum + co=1" || got["team"] != "ü" {
			t.Errorf("tags %v", got)
		}
		if keys := b.Keys(t); len(keys) != 1 {
			t.Errorf("the source bucket holds %q", keys)
		}
	}
	for _, h := range heads {
		if h.ServerSideEncryption != types.ServerSideEncryptionAwsKms || h.StorageClass != types.StorageClassStandardIa ||
			aws.ToString(h.ContentType) != "text/plain; charset=utf-8" || h.Metadata["written-by"] != "bucketsum" {
			t.Errorf("stored with %s, %s, %s, %v", h.ServerSideEncryption, h.StorageClass, *h.ContentType, h.Metadata)
		}
	}
}

// A lifecycle rule may move records to the archive together with their objects.
func TestArchivedRecords(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartMoto(t), false)
	records := b.Open(t, blobstore.Config{}).Bucket().Records
	archive := func(sequencer string) {
		v := version(b, sequencer, "a")
		b.Put(t, "a.md5", v.Digests["md5"]+"  a\n", func(in *s3.PutObjectInput) {
			in.StorageClass = types.StorageClassDeepArchive
			in.Metadata = map[string]string{
				"written-by": "bucketsum", "source-key": "a", "source-etag": v.Source.ETag, "source-version-id": v.Source.VersionID,
				"source-size": "1", "source-sequencer": sequencer, "computed-at": "2025-03-14T15:09:26Z",
			}
		})
	}
	archive("02")
	_, _, err := records.Lookup(t.Context(), version(b, "", "").Source)
	drivertest.IsA(t, err, pipeline.ErrNotFound) // what it says cannot be read
	newer := version(b, "03", "c")
	if err := pipelinetest.Save(t.Context(), records, newer); err != nil {
		t.Fatal(err)
	}
	if got, _, err := records.Lookup(t.Context(), newer.Source); err != nil || got.Source != newer.Source {
		t.Errorf("Lookup: %+v, %v", got, err)
	}
	archive("04")
	if removed, err := pipelinetest.Remove(t.Context(), records, version(b, "05", "").Source); err != nil || !removed {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	b.Put(t, "a.md5", "his own\n", func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier })
	if err := pipelinetest.Save(t.Context(), records, newer); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

// One object takes one request for each question: is it recorded, what is its content, is it
// still current; and one to write its record.
func TestRequestsOfAnObject(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, true)
	var requests []string
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		requests = append(requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/"+b.Name))
		next.ServeHTTP(w, r)
	})
	bucket := b.Through(proxy).Open(t, blobstore.Config{}).Bucket()
	if err := pipelinetest.Save(t.Context(), bucket.Records, drivertest.Record(b.Put(t, "first", ""))); err != nil {
		t.Fatal(err)
	}
	o := b.Put(t, "a", "content")
	requests = nil
	_, _, err := bucket.Records.Lookup(t.Context(), o)
	drivertest.IsA(t, err, pipeline.ErrNotFound)
	opened := drivertest.MustRead(t, bucket.Source, o, "content")
	now, err := bucket.Source.Stat(t.Context(), o)
	if err != nil || now != opened {
		t.Errorf("Stat: %+v, %v; opened %+v", now, err, opened)
	}
	if err := bucket.Records.Save(t.Context(), drivertest.Record(opened), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(requests, ", "), "GET /a.md5, GET /a, HEAD /a, PUT /a.md5"; got != want {
		t.Errorf("it took %s; want %s", got, want)
	}
	requests = nil
	if r, _, err := bucket.Records.Lookup(t.Context(), o); err != nil || !r.Covers(o, []string{"md5"}) {
		t.Errorf("Lookup: %+v, %v", r, err)
	}
	if len(requests) != 1 {
		t.Errorf("to see that it is recorded took %q", requests)
	}
}

// The error of a refused record names the flag that is wrong.
func TestRecordsThatTheStoreDoesNotTake(t *testing.T) {
	for code, flag := range map[string]string{
		"InvalidStorageClass":          "--record-storage-class",
		"InvalidTag":                   "--record-tag",
		"KMS.NotFoundException":        "--record-kms-key",
		"KMS.DisabledException":        "--record-kms-key",
		"KMS.InvalidKeyUsageException": "--record-kms-key",
		"EntityTooLarge":               "",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if r.Method == http.MethodPut {
					drivertest.Answer(w, 400, code)
					return
				}
				drivertest.Answer(w, 404, "NoSuchKey")
			})
			store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{Records: blobstore.RecordOptions{
				RecordOptions: driver.RecordOptions{KMSKey: "some key", StorageClass: "COLD", Tags: map[string]string{"team": "!"}},
			}})
			err := pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: 7}))
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), code) {
				t.Fatalf("got %v, want a transient error that says %s", err, code)
			}
			for _, f := range []string{"--record-storage-class", "--record-tag", "--record-kms-key"} {
				if strings.Contains(err.Error(), f) != (f == flag) {
					t.Errorf("%v: want it to name %q only", err, flag)
				}
			}
		})
	}
}
