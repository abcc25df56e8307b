package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Expired credentials are requested again, and what failed before succeeds then.
func TestExpiredCredentials(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", "content")
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials.json")
	credentials := func(key string) {
		drivertest.WriteFile(t, file, `{"Version": 1, "AccessKeyId": "`+key+`", "SecretAccessKey": "`+awsenv.SecretKey+`"}`)
	}
	credentials("expired")
	drivertest.WriteFile(t, filepath.Join(dir, "config"), "[profile worker]\ncredential_process = cat "+file+"\n")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=expired/") {
			drivertest.Answer(w, 400, "ExpiredToken")
			return
		}
		next.ServeHTTP(w, r)
	})
	store, err := drivertest.Drivers.Open(t.Context(), b.Through(proxy).Address()+"&profile=worker", b.Name, blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
	credentials(awsenv.AccessKey)
	drivertest.MustRead(t, store, o, "content")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	drivertest.MustRead(t, store, o, "content") // they are kept
}

func TestCheck(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	dir := t.TempDir()
	if err := b.Open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: "file://" + dir}}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	says := func(code int, name string) awsenv.Server {
		return server.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-9")
			drivertest.Answer(w, code, name)
		})
	}
	none := awsenv.Server{URL: "http://127.0.0.1:1"} // port 1 is closed
	page := func(code int) awsenv.Server {
		return server.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "<html><body>Welcome</body></html>")
		})
	}
	gone := b
	gone.Name = "no-such-bucket"
	for want, test := range map[string]struct {
		source  drivertest.S3Bucket
		records string
		query   string
	}{
		`there is no bucket "no-such-bucket": create it`: {source: gone},
		"records of bucket":                                             {source: b, records: gone.Address()},
		"this program needs s3:ListBucket":                              {source: b.Through(says(403, "AccessDenied"))},
		"is in region eu-west-9, and was asked for in region us-east-1": {source: b.Through(says(301, "PermanentRedirect"))},
		"nothing listens":                                               {source: b.Through(none)},
		"name is unknown":                                               {source: b.Through(awsenv.Server{URL: "http://no-such-host.invalid"})},
		"there are no credentials":                                      {source: b, query: "&profile=empty"},
		"what answers there is no S3: correct endpoint=":                {source: b.Through(page(http.StatusOK))},
		`there is no bucket "` + b.Name + `": create it`:                {source: b.Through(page(http.StatusNotFound))},
		"the clock of this machine is wrong":                            {source: b.Through(says(403, "RequestTimeTooSkewed"))},
		"renew them":                                                    {source: b.Through(says(400, "ExpiredToken"))},
	} {
		raw := test.source.Address() + test.query
		if test.query != "" {
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
			drivertest.WriteFile(t, filepath.Join(dir, "config"), "[profile empty]\n")
			t.Setenv("AWS_ACCESS_KEY_ID", "")
		}
		store, err := drivertest.Drivers.Open(t.Context(), raw, b.Name, blobstore.Config{Records: blobstore.RecordOptions{Bucket: test.records}})
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		err = store.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line that says %q", err, want)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if test.query != "" {
			t.Setenv("AWS_ACCESS_KEY_ID", awsenv.AccessKey)
		}
	}
	// No region is set.
	store, err := drivertest.Drivers.Open(t.Context(), "s3://bucket", "bucket", blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no region is set") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Open(t, blobstore.Config{}).Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A policy may let a program read a bucket without listing all of it.
func TestBucketThatCannotBeListed(t *testing.T) {
	for name, test := range map[string]struct {
		list, head int
		code       string
		want       string
		warns      bool
	}{
		"but is there":             {list: 403, code: "AccessDenied", head: 200, warns: true},
		"nor be looked at":         {list: 403, code: "AccessDenied", head: 403, want: "s3:ListBucket"},
		"for want of credentials":  {list: 403, code: "InvalidAccessKeyId", head: 200, want: "renew them"},
		"as the store has a fault": {list: 400, code: "AuthorizationHeaderMalformed", head: 200, want: "AWS_REGION"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if r.Method == http.MethodHead {
					w.WriteHeader(test.head)
					return
				}
				drivertest.Answer(w, test.list, test.code)
			})
			var log bytes.Buffer
			store := drivertest.S3Bucket{Server: server, Name: "test"}.Open(t, blobstore.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
			err := store.Check(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if warned := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), "s3:ListBucket"); warned != test.warns {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}

// versitygw has an error code of its own for an unknown access key.
func TestAccessKeyThatVersitygwDoesNotKnow(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	store := b.Open(t, blobstore.Config{})
	_, err := store.Open(t.Context(), pipeline.Object{Bucket: b.Name, Key: "a", ETag: "e", Size: 7})
	for what, err := range map[string]error{"Check": store.Check(t.Context()), "Open": err} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "the credentials have expired or are not those of the store") {
			t.Errorf("%s: got %v, want a transient error that says what to do", what, err)
		}
	}
}

// A web server at the address of the endpoint has no objects: what it sends has no checksum that is printed.
func TestWebServerIsNoStore(t *testing.T) {
	page := unreached.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = io.WriteString(w, "<html><body>Welcome</body></html>")
	})
	store := drivertest.S3Bucket{Server: page, Name: "test"}.Open(t, blobstore.Config{})
	_, openErr := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", Size: pipeline.UnknownSize})
	var listErr error
	for _, listErr = range store.List(t.Context()) {
	}
	for name, err := range map[string]error{"Open": openErr, "List": listErr} {
		if err == nil || !strings.Contains(err.Error(), "what answers there is no S3") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
