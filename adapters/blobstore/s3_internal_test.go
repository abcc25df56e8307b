package blobstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/pipeline"
)

// A store that keeps the connection and sends nothing more is as good as one that
// breaks it off.
func TestBodyThatStalls(t *testing.T) {
	const content = "content"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		if r.Header.Get("Range") == "bytes=3-" {
			w.Header().Set("Content-Range", "bytes 3-6/7")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, content[3:])
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = io.WriteString(w, content[:3])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // until the client gives up
	}))
	defer server.Close()
	store, err := Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.s3.stall = 50 * time.Millisecond
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close(), r.Close()); err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

// If it never sends anything more, that is what the error says.
func TestBodyThatStallsForGood(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", "7")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	store, err := Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.s3.stall = 20 * time.Millisecond
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, errStalled) || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A store that heeds no If-Match does not get another content under the name of
// the first, not even if none of that came.
func TestReplacedBeforeTheFirstByte(t *testing.T) {
	answers := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers++
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint("e", answers)))
		w.Header().Set("Content-Length", "7")
		if answers == 1 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "another")
	}))
	defer server.Close()
	store, err := Open(t.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r, err := store.Open(t.Context(), pipeline.Object{Bucket: "test", Key: "a", ETag: "e1", Size: pipeline.UnknownSize})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if content, err := io.ReadAll(r); !errors.Is(err, pipeline.ErrChanged) || len(content) != 0 {
		t.Errorf("got %q, %v", content, err)
	}
}

func TestAsterisk(t *testing.T) {
	for _, name := range []string{"a", "b *c", "  d", "*", `e\\f`} {
		for _, prefix := range []string{"", `\`} {
			line := prefix + strings.Repeat("0", 32) + "  " + name + "\n"
			marked := withAsterisk(line)
			if marked != prefix+strings.Repeat("0", 32)+" *"+name+"\n" {
				t.Errorf("%q becomes %q", line, marked)
			}
			if back, ok := withoutAsterisk(marked); back != line || !ok {
				t.Errorf("%q becomes %q", marked, back)
			}
			if same, ok := withoutAsterisk(line); same != line || ok {
				t.Errorf("%q becomes %q", line, same)
			}
		}
	}
}

func TestRedirects(t *testing.T) {
	for status, want := range map[int]error{301: http.ErrUseLastResponse, 302: http.ErrUseLastResponse, 307: nil, 308: nil} {
		r := &http.Request{Response: &http.Response{StatusCode: status}}
		if err := keepMethod(r, nil); err != want {
			t.Errorf("%d: got %v", status, err)
		}
		if err := keepMethod(r, make([]*http.Request, 10)); err == nil {
			t.Errorf("%d: it never ends", status)
		}
	}
}

func TestTransport(t *testing.T) {
	custom := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.WriteBufferSize = 12345 })
	if got := s3Transport(custom); got.WriteBufferSize != 12345 || !got.DisableCompression || got.ResponseHeaderTimeout == 0 {
		t.Errorf("got %+v", got)
	}
	if got := s3Transport(http.DefaultClient); got.MaxIdleConnsPerHost < 100 {
		t.Errorf("got %+v", got)
	}
}

func TestListedObject(t *testing.T) {
	entry := types.Object{Key: aws.String("a%2Bb+c%0A"), ETag: aws.String(`"e"`), Size: aws.Int64(3)}
	for encoding, want := range map[types.EncodingType]string{types.EncodingTypeUrl: "a+b c\n", "": "a%2Bb+c%0A"} {
		if o, err := listedObject(entry, encoding); err != nil || o.Key != want || o.ETag != "e" || o.Size != 3 {
			t.Errorf("got %+v, %v", o, err)
		}
	}
	entry.Key = aws.String("%zz")
	if _, err := listedObject(entry, types.EncodingTypeUrl); err == nil {
		t.Error("a key that cannot be decoded is passed on")
	}
}

// An error that breaks off keeps its status, and why it did.
func TestErrorThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = io.WriteString(w, "<Error>&#x1;&#xFFFE;&#9;\x02")
	}))
	defer server.Close()
	client := http.Client{Transport: readableErrors{&http.Transport{DisableKeepAlives: true}}}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusPreconditionFailed || string(body) != "<Error>\uFFFD\uFFFD&#9;\uFFFD" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d %q, %v", response.StatusCode, body, err)
	}
}

// The ETags of directory buckets look like MD5s and are none. No server for tests
// has such buckets, for which the SDK asks for a session.
func TestETagsOfDirectoryBuckets(t *testing.T) {
	out := &s3.GetObjectOutput{ETag: aws.String(`"5d41402abc4b2a76b9719d911017c592"`)}
	for name, claims := range map[string]int{
		"inbox":                   1,
		"inbox-s3":                1,
		"inbox--usw2-az1--x-s3":   0,
		"reader--usw2-az1--xa-s3": 0, // an access point
		"arn:aws:s3express:us-west-2:123456789012:accesspoint/reader--usw2-az1--xa-s3": 0,
	} {
		if got := (&s3Bucket{name: name}).claimsOf(out); len(got) != claims {
			t.Errorf("%s: %d claims, want %d: %+v", name, len(got), claims, got)
		}
	}
}
