package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

const testLimit = 1000

func openURL(t testing.TB, address string, options Options) *bucket {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(context.Background(), u, options, driver.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// both opens a bucket twice: with lean, and with the SDK alone.
func both(t testing.TB, address string, options Options) (lean, sdk *bucket) {
	lean, sdk = openURL(t, address, options), openURL(t, address, options)
	sdk.lean.sdk.Retryer = nil
	return lean, sdk
}

// addressOf returns the URL of a bucket on a server that stands in for a store.
func addressOf(server *httptest.Server) string {
	return "s3://photos?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
}

// requests are those that a server received.
type requests struct {
	mu  sync.Mutex
	all []*http.Request
}

func (s *requests) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r)
}

func (s *requests) take() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// isLean reports whether lean sent a request.
func isLean(r *http.Request) bool { return r.Header.Get("Amz-Sdk-Invocation-Id") == "" }

// content returns what a request says, without its signature and what the SDK counts.
func content(r *http.Request) string {
	h := maps.Clone(r.Header)
	for _, name := range []string{"Authorization", "X-Amz-Date", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"} {
		delete(h, name)
	}
	return fmt.Sprint(r.Method, " ", r.Host, r.RequestURI, " ", h)
}

var requestIDs = regexp.MustCompile(`(RequestID|HostID): [^,]*, | \(request [^)]*\)|dial tcp .*`)

// outcome is what Get returned, without what differs from request to request.
func outcome(b *driver.Blob, err error) string {
	if err != nil {
		return requestIDs.ReplaceAllString(err.Error(), "")
	}
	return fmt.Sprintf("%q %q %s %t", b.Data, b.Metadata, b.Tag, b.Archived)
}

// Each answer of a store leads to the same result, and to the same requests, with lean and with the SDK alone.
func TestLeanAnswers(t *testing.T) {
	const crc32 = "DUoRhQ==" // of "hello world"
	answer := func(w http.ResponseWriter, status int, body string, header ...string) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	failure := func(status int, code string, header ...string) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, _ int) {
			answer(w, status, "<Error><Code>"+code+"</Code><Message>as told</Message></Error>", header...)
		}
	}
	success := func(header ...string) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, _ int) { answer(w, 200, "hello world", header...) }
	}
	for name, test := range map[string]struct {
		serve func(w http.ResponseWriter, attempt int)
		done  bool // by lean; else the SDK gets the answer
	}{
		"whole":                {success("ETag", `"e1"`), true},
		"no ETag":              {success(), true},
		"metadata":             {success("x-amz-meta-Key", "a%20b", "X-AMZ-META-UPPER", "=?UTF-8?Q?=C3=BC?=", "x-amz-meta-empty", "", "x-amz-meta-two", "1", "x-amz-meta-two", "2", "x-amz-meta-odd", "%zz", "x-amz-meta-a_b.c", " x "), true},
		"a CRC32":              {success("x-amz-checksum-crc32", crc32, "x-amz-checksum-type", "FULL_OBJECT"), true},
		"a wrong CRC32":        {success("x-amz-checksum-crc32", "AAAAAA=="), false},
		"a malformed CRC32":    {success("x-amz-checksum-crc32", "?"), false},
		"one of two is wrong":  {success("x-amz-checksum-crc32", crc32, "x-amz-checksum-crc64nvme", "AAAAAAAAAAA="), false},
		"a checksum of parts":  {success("x-amz-checksum-crc32", crc32+"-2"), false},
		"an unknown checksum":  {success("x-amz-checksum-xxhash64", "AAAAAAAAAAA="), false},
		"a malformed header":   {success("Content-Encoding", "gzip", "x-amz-meta-a", "b"), true},
		"empty":                {func(w http.ResponseWriter, _ int) { answer(w, 200, "") }, true},
		"of unknown length":    {func(w http.ResponseWriter, _ int) { answer(w, 200, "hello"); _ = http.NewResponseController(w).Flush() }, false},
		"shorter than limit":   {func(w http.ResponseWriter, _ int) { answer(w, 200, strings.Repeat("x", testLimit-1)) }, true},
		"as long as the limit": {func(w http.ResponseWriter, _ int) { answer(w, 200, strings.Repeat("x", testLimit)) }, false},
		"longer":               {func(w http.ResponseWriter, _ int) { answer(w, 200, strings.Repeat("x", 50*testLimit)) }, false},
		"cut":                  {func(w http.ResponseWriter, _ int) { answer(w, 200, "hello", "Content-Length", "11") }, false},
		"no content":           {func(w http.ResponseWriter, _ int) { answer(w, 204, "", "ETag", `"e"`) }, false},
		"a part":               {func(w http.ResponseWriter, _ int) { answer(w, 206, "hello", "ETag", `"e"`) }, false},
		"no such key":          {failure(404, "NoSuchKey", "x-amz-request-id", "1"), true},
		"a delete marker":      {failure(404, "NoSuchKey", "x-amz-delete-marker", "true"), true},
		"no such bucket":       {failure(404, "NoSuchBucket"), false},
		"not found":            {failure(404, "NotFound"), false},
		"404 without document": {func(w http.ResponseWriter, _ int) { answer(w, 404, "") }, false},
		"404 of a proxy":       {func(w http.ResponseWriter, _ int) { answer(w, 404, "<html><body>not <br> found") }, false},
		"404 of a broken proxy": {func(w http.ResponseWriter, _ int) {
			answer(w, 404, "<Error><Code>NoSuchKey</Code>", "Content-Length", "1000")
		}, false},
		"a control character": {func(w http.ResponseWriter, _ int) {
			answer(w, 404, "<Error><Code>NoSuchKey</Code><Key>\x01&#x2;</Key></Error>")
		}, true},
		"archived":            {failure(403, "InvalidObjectState"), false},
		"denied":              {failure(403, "AccessDenied"), false},
		"expired credentials": {failure(400, "ExpiredToken"), false},
		"a bad request":       {failure(400, "InvalidRequest"), false},
		"another region":      {failure(301, "PermanentRedirect", "x-amz-bucket-region", "eu-west-1"), false},
		"elsewhere":           {failure(307, "TemporaryRedirect", "Location", "http://elsewhere.example/"), false},
		"slow down": {func(w http.ResponseWriter, attempt int) {
			if attempt < 3 {
				failure(503, "SlowDown")(w, attempt)
				return
			}
			success("ETag", `"e2"`)(w, attempt)
		}, false},
		"always busy": {failure(503, "SlowDown"), false},
		"a fault": {func(w http.ResponseWriter, attempt int) {
			if attempt == 1 {
				failure(500, "InternalError")(w, attempt)
				return
			}
			failure(404, "NoSuchKey")(w, attempt)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got requests
			var attempts atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/first"):
					failure(404, "NoSuchKey")(w, 1)
				case strings.HasSuffix(r.URL.Path, "/a"):
					got.add(r)
					test.serve(w, int(attempts.Add(1)))
				}
			}))
			defer server.Close()
			lean, sdk := both(t, addressOf(server), Options{})
			var results []string
			var sent [][]string
			for _, b := range []*bucket{sdk, lean} {
				if _, err := b.Get(t.Context(), "first", testLimit); !errors.Is(err, pipeline.ErrNotFound) {
					t.Fatal(err)
				}
				attempts.Store(0)
				before := b.lean.last.Load()
				results = append(results, outcome(b.Get(t.Context(), "a", testLimit)))
				if done := before == b.lean.last.Load(); b == lean && done != test.done {
					t.Errorf("lean understood the answer: %t, want %t", done, test.done)
				}
				var each []string
				for i, r := range got.take() {
					each = append(each, content(r))
					if want := b == lean && i == 0; isLean(r) != want {
						t.Errorf("request %d: lean sent it: %t, want %t", i, !want, want)
					}
				}
				sent = append(sent, each)
			}
			if diff := cmp.Diff(results[0], results[1]); diff != "" {
				t.Errorf("the result differs (-SDK +lean):\n%s", diff)
			}
			if diff := cmp.Diff(sent[0], sent[1]); diff != "" {
				t.Errorf("the requests differ (-SDK +lean):\n%s", diff)
			}
		})
	}
}

// A GET that lean has done counts for the SDK's retries.
func TestLeanAddsToTokens(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		if strings.HasSuffix(r.URL.Path, "/busy") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	lean, sdk := both(t, addressOf(server)+"&rate_limiter_capacity=40", Options{})
	for _, b := range []*bucket{sdk, lean} {
		var counts []int64
		for _, key := range []string{"a", "busy", "busy", "busy", "a", "busy"} {
			for range 20 {
				sent.Store(0)
				if _, err := b.Get(t.Context(), key, testLimit); (err == nil) != (key == "a") {
					t.Fatal(err)
				}
				if key == "busy" {
					counts = append(counts, sent.Load())
					break
				}
			}
		}
		// A retry takes 14 of 40 tokens, and each of the 20 successes brings one back.
		if want := []int64{3, 1, 1, 3}; !slices.Equal(counts, want) {
			t.Errorf("lean=%t: %d requests, want %d", b == lean, counts, want)
		}
	}
}

// Lean signs for the time of the store, as the SDK does if the clock of this machine is wrong.
func TestLeanOnAWrongClock(t *testing.T) {
	var ahead, sent atomic.Int64 // hours
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		now := time.Now().Add(time.Duration(ahead.Load()) * time.Hour)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		if date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err != nil || date.Sub(now).Abs() > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
		}
	}))
	defer server.Close()
	b := openURL(t, addressOf(server), Options{})
	for i, step := range []struct{ ahead, requests int64 }{{0, 1}, {0, 1}, {2, 2}, {2, 1}, {0, 2}, {0, 1}} {
		ahead.Store(step.ahead)
		sent.Store(0)
		if _, err := b.Get(t.Context(), "a", testLimit); err != nil || sent.Load() != step.requests {
			t.Errorf("step %d: %d requests, want %d; %v", i, sent.Load(), step.requests, err)
		}
	}
}

// Lean uses the credentials of the moment, and none of the token of the former ones.
func TestLeanRenewsCredentials(t *testing.T) {
	var got requests
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.add(r) }))
	defer server.Close()
	b := openURL(t, addressOf(server), Options{})
	now := aws.Credentials{AccessKeyID: "old", SecretAccessKey: "s", SessionToken: "token"}
	options := b.client.Options()
	options.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return now, nil })
	b.client = s3.New(options)
	b.lean.sdk = b.client.Options()
	for range 3 {
		if _, err := b.Get(t.Context(), "a", testLimit); err != nil {
			t.Fatal(err)
		}
		r := got.take()[0]
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+now.AccessKeyID+"/") || r.Header.Get("X-Amz-Security-Token") != now.SessionToken {
			t.Errorf("%s was signed with %s, %s", now.AccessKeyID, r.Header.Get("Authorization"), r.Header.Get("X-Amz-Security-Token"))
		}
		now.AccessKeyID, now.SessionToken = now.AccessKeyID+"er", strings.TrimSuffix("token", now.SessionToken)
	}
}

// In Lambda each request carries the trace of its invocation.
func TestLeanInLambda(t *testing.T) {
	var got requests
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.add(r) }))
	defer server.Close()
	b := openURL(t, addressOf(server), Options{})
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "checksums")
	for _, trace := range []string{"Root=1", "Root=2"} {
		t.Setenv("_X_AMZN_TRACE_ID", trace)
		if _, err := b.Get(t.Context(), "a", testLimit); err != nil {
			t.Fatal(err)
		}
		if h := got.take()[0].Header.Get("X-Amzn-Trace-Id"); h != trace {
			t.Errorf("sent %q, want %q", h, trace)
		}
	}
}

// A request that is cancelled, or that does not arrive, fails as with the SDK alone.
func TestLeanFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	lean, sdk := both(t, addressOf(server), Options{})
	for _, b := range []*bucket{sdk, lean} {
		if _, err := b.Get(t.Context(), "first", testLimit); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	want, got := outcome(sdk.Get(ended, "a", testLimit)), outcome(lean.Get(ended, "a", testLimit))
	if got != want || !strings.Contains(got, "canceled") {
		t.Errorf("cancelled: got %s, want %s", got, want)
	}
	server.Close()
	want, got = outcome(sdk.Get(t.Context(), "a", testLimit)), outcome(lean.Get(t.Context(), "a", testLimit))
	if got != want || !strings.Contains(got, "nothing listens") {
		t.Errorf("not listening: got %s, want %s", got, want)
	}
}
