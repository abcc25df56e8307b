package s3_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestErrorsOfS3(t *testing.T) {
	for _, test := range []struct {
		status   int
		code     string
		class    pipeline.Class
		sentinel error
		says     string
	}{
		{404, "NoSuchKey", pipeline.ClassTransient, pipeline.ErrNotFound, ""},
		{404, "NoSuchVersion", pipeline.ClassTransient, pipeline.ErrNotFound, ""},
		{404, "NoSuchBucket", pipeline.ClassTransient, nil, `there is no bucket "test"`},
		{404, "SomethingElse", pipeline.ClassTransient, nil, ""},
		{405, "MethodNotAllowed", pipeline.ClassTransient, nil, ""}, // not of a marker
		{412, "PreconditionFailed", pipeline.ClassTransient, pipeline.ErrChanged, ""},
		{403, "InvalidObjectState", pipeline.ClassSuperseded, pipeline.ErrArchived, ""},
		{403, "AccessDenied", pipeline.ClassTransient, nil, "s3:GetObject"},
		{403, "InvalidAccessKeyId", pipeline.ClassTransient, nil, "renew them"},
		{403, "RequestTimeTooSkewed", pipeline.ClassTransient, nil, "clock"},
		{400, "ExpiredToken", pipeline.ClassTransient, nil, "credentials have expired"},
		{400, "KMS.DisabledException", pipeline.ClassTransient, nil, "KMS key"},
		{400, "KMS.NotFoundException", pipeline.ClassTransient, nil, "KMS key"},
		{400, "InvalidRequest", pipeline.ClassTransient, nil, "--sse-c-key-file"},
		{400, "AuthorizationHeaderMalformed", pipeline.ClassTransient, nil, "AWS_REGION"},
		{301, "PermanentRedirect", pipeline.ClassTransient, nil, "region eu-west-9"},
		{400, "KeyTooLongError", pipeline.ClassPermanent, nil, ""},
		{503, "SlowDown", pipeline.ClassTransient, nil, "fewer requests"},
		{500, "InternalError", pipeline.ClassTransient, nil, "has a fault"},
		{418, "Teapot", pipeline.ClassTransient, nil, "Teapot"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			server := awsenv.Server{URL: "http://127.0.0.1:1"}.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-9")
				drivertest.Answer(w, test.status, test.code)
			})
			store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{})
			o := pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize}
			_, err := store.Open(t.Context(), o)
			if got := pipeline.Classify(err); got != test.class {
				t.Errorf("got %v (%q), want one of class %q", err, got, test.class)
			}
			if test.sentinel != nil {
				drivertest.IsA(t, err, test.sentinel)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v does not say %q", err, test.says)
			}
			if test.class == pipeline.ClassTransient {
				for name, err := range map[string]error{
					"Save":  pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o)),
					"Check": store.Check(t.Context()),
				} {
					if pipeline.Classify(err) != pipeline.ClassTransient {
						t.Errorf("%s: got %v, want a transient error", name, err)
					}
				}
			}
		})
	}
}

// A missing bucket must not look like missing objects.
func TestBucketThatIsGone(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	store := b.Open(t, blobstore.Config{})
	o := b.Put(t, "a", "content")
	b.Delete(t, "a", "")
	if _, err := b.Client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &b.Name}); err != nil {
		t.Fatal(err)
	}
	_, statErr := store.Stat(t.Context(), o)
	_, openErr := store.Open(t.Context(), o)
	_, _, lookupErr := store.Bucket().Records.Lookup(t.Context(), o)
	_, removeErr := pipelinetest.Remove(t.Context(), store.Bucket().Records, o)
	var listErr error
	for _, listErr = range store.List(t.Context()) {
	}
	for name, err := range map[string]error{
		"Stat": statErr, "Open": openErr, "Lookup": lookupErr, "Remove": removeErr, "List": listErr,
		"Save": pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o)),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "there is no bucket") {
			t.Errorf("%s: got %v, want a transient error that says so", name, err)
		}
	}
}

// A store that fails or is overloaded for a moment costs nothing but time.
func TestBurstsOfFaults(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", "content")
	var requests atomic.Int64
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch requests.Add(1) % 3 {
		case 1:
			drivertest.Answer(w, 503, "SlowDown")
		case 2:
			next.ServeHTTP(w, r)
		default:
			panic(http.ErrAbortHandler)
		}
	})
	bucket := b.Through(proxy).Open(t, blobstore.Config{}).Bucket()
	opened := drivertest.MustRead(t, bucket.Source, o, "content")
	r := drivertest.Record(opened)
	if err := pipelinetest.Save(t.Context(), bucket.Records, r); err != nil {
		t.Error(err)
	}
	if got, _, err := bucket.Records.Lookup(t.Context(), o); err != nil || got.Digests["md5"] != r.Digests["md5"] {
		t.Errorf("Lookup: %v, %v", got, err)
	}
}
