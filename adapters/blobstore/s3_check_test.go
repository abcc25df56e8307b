package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Credentials that have expired are asked for again, and what failed meanwhile
// succeeds then.
func TestExpiredCredentials(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", "content")
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials.json")
	credentials := func(key string) {
		writeFile(t, file, `{"Version": 1, "AccessKeyId": "`+key+`", "SecretAccessKey": "`+awsenv.SecretKey+`"}`)
	}
	credentials("expired")
	writeFile(t, filepath.Join(dir, "config"), "[profile worker]\ncredential_process = cat "+file+"\n")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=expired/") {
			answer(w, 400, "ExpiredToken")
			return
		}
		next.ServeHTTP(w, r)
	})
	store, err := drivers.Open(t.Context(), b.through(proxy).url()+"&profile=worker", b.name, blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
	credentials(awsenv.AccessKey)
	mustRead(t, store, o, "content")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	mustRead(t, store, o, "content") // they are kept
}

func TestCheck(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	dir := t.TempDir()
	if err := b.open(t, blobstore.Config{Records: blobstore.RecordOptions{Bucket: "file://" + dir}}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	says := func(code int, name string) awsenv.Server {
		return server.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-9")
			answer(w, code, name)
		})
	}
	none := awsenv.Server{URL: "http://127.0.0.1:1"} // nobody listens on port 1
	gone := b
	gone.name = "no-such-bucket"
	for want, test := range map[string]struct {
		source  s3Bucket
		records string
		query   string
	}{
		`there is no bucket "no-such-bucket": create it`: {source: gone},
		"records of bucket":                                             {source: b, records: gone.url()},
		"this program needs s3:ListBucket":                              {source: b.through(says(403, "AccessDenied"))},
		"is in region eu-west-9, and was asked for in region us-east-1": {source: b.through(says(301, "PermanentRedirect"))},
		"nothing listens":                                               {source: b.through(none)},
		"name is unknown":                                               {source: b.through(awsenv.Server{URL: "http://no-such-host.invalid"})},
		"there are no credentials":                                      {source: b, query: "&profile=nobody"},
	} {
		raw := test.source.url() + test.query
		if test.query != "" {
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
			writeFile(t, filepath.Join(dir, "config"), "[profile nobody]\n")
			t.Setenv("AWS_ACCESS_KEY_ID", "")
		}
		store, err := drivers.Open(t.Context(), raw, b.name, blobstore.Config{Records: blobstore.RecordOptions{Bucket: test.records}})
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
	// Nobody set a region.
	store, err := drivers.Open(t.Context(), "s3://bucket", "bucket", blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no region is set") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.open(t, blobstore.Config{}).Check(ctx); !errors.Is(err, context.Canceled) {
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
			server := nobody.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if r.Method == http.MethodHead {
					w.WriteHeader(test.head)
					return
				}
				answer(w, test.list, test.code)
			})
			var log bytes.Buffer
			store := s3Bucket{server, "test", nil}.open(t, blobstore.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
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

// versitygw has a code of its own for an access key that nobody has.
func TestAccessKeyThatVersitygwDoesNotKnow(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	store := b.open(t, blobstore.Config{})
	_, err := store.Open(t.Context(), pipeline.Object{Bucket: b.name, Key: "a", ETag: "e", Size: 7})
	for what, err := range map[string]error{"Check": store.Check(t.Context()), "Open": err} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "the credentials have expired or are not those of the store") {
			t.Errorf("%s: got %v, want a transient error that says what to do", what, err)
		}
	}
}
