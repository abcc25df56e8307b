package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// unreached is a server that no request reaches, as Before answers them all.
var unreached = awsenv.Server{URL: "http://127.0.0.1:1"}

// AWS quotes the key in its errors, with references to characters that XML does not have.
func TestErrorsThatQuoteKeys(t *testing.T) {
	const key = "a\x01\t\x1fü&b"
	for name, quoted := range map[string]string{
		"hexadecimal": "a&#x1;&#x9;&#x1f;ü&amp;b",
		"decimal":     "a&#1;&#9;&#31;ü&amp;b",
		"as it is":    "a\x01\t\x1fü&amp;b",
	} {
		for _, test := range []struct {
			status int
			code   string
			class  pipeline.Class
			says   string
		}{
			{404, "NoSuchKey", pipeline.ClassTransient, "not found"},
			{404, "NoSuchBucket", pipeline.ClassTransient, "there is no bucket"},
			{404, "SomethingElse", pipeline.ClassTransient, "SomethingElse"},
			{403, "AccessDenied", pipeline.ClassTransient, "s3:GetObject"},
		} {
			t.Run(name+"/"+test.code, func(t *testing.T) {
				t.Parallel()
				server := unreached.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
					w.Header().Set("Content-Type", "application/xml")
					w.WriteHeader(test.status)
					fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>as told</Message><Key>%s</Key></Error>", test.code, quoted)
				})
				o := pipeline.Object{Bucket: "test", Key: key, ETag: "e", Size: pipeline.UnknownSize}
				for form, to := range map[string][]string{"sidecar": nil, "tags": {blobstore.ToTags}} {
					store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{Records: blobstore.RecordOptions{To: to}})
					_, openErr := store.Open(t.Context(), o)
					_, _, lookupErr := store.Bucket().Records.Lookup(t.Context(), o)
					for what, err := range map[string]error{"Open": openErr, "Lookup": lookupErr} {
						if pipeline.Classify(err) != test.class || !strings.Contains(err.Error(), strings.Replace(test.says, "s3:GetObject", "s3:Get", 1)) {
							t.Errorf("%s, %s: got %v, want one of class %q that says %q", form, what, err, test.class, test.says)
						}
					}
				}
			})
		}
	}
}

// An object can have a record although XML cannot quote its key.
func TestRecordOfKeyThatXMLCannotQuote(t *testing.T) {
	plain := new(plainStore)
	server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		key := strings.TrimPrefix(r.URL.Path, "/test/")
		plain.mu.Lock()
		_, ok := plain.objects[r.URL.Path]
		plain.mu.Unlock()
		if r.Method == http.MethodGet && !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, "<Error><Code>NoSuchKey</Code><Key>%s</Key></Error>", strings.ReplaceAll(key, "\x01", "&#x1;"))
			return
		}
		plain.ServeHTTP(w, r)
	})
	records := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{}).Bucket().Records
	r := drivertest.Record(pipeline.Object{Bucket: "test", Key: "a\x01b", ETag: "e", Size: 7})
	if err := pipelinetest.Save(t.Context(), records, r); err != nil {
		t.Fatal(err)
	}
	if got, _, err := records.Lookup(t.Context(), r.Source); err != nil || got.Digests["md5"] != r.Digests["md5"] {
		t.Errorf("Lookup: %v, %v", got, err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), records, r.Source); err != nil || !removed {
		t.Errorf("Remove: %v, %v", removed, err)
	}
}
