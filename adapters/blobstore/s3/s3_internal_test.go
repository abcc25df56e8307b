package s3

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

func TestTransport(t *testing.T) {
	custom := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.WriteBufferSize = 12345 })
	if got := transportOf(custom); got.WriteBufferSize != 12345 || !got.DisableCompression || got.ResponseHeaderTimeout == 0 {
		t.Errorf("got %+v", got)
	}
	if got := transportOf(http.DefaultClient); got.MaxIdleConnsPerHost < 100 {
		t.Errorf("got %+v", got)
	}
}

func TestListedObject(t *testing.T) {
	entry := types.Object{Key: aws.String("a%2Bb+c%0A"), ETag: aws.String(`"e"`), Size: aws.Int64(3)}
	for encoding, want := range map[types.EncodingType]string{types.EncodingTypeUrl: "a+b c\n", "": "a%2Bb+c%0A"} {
		if o, err := entryOf(&entry, encoding); err != nil || o.Key != want || o.ETag != "e" || o.Size != 3 {
			t.Errorf("got %+v, %v", o, err)
		}
	}
	entry.Key = aws.String("%zz")
	if _, err := entryOf(&entry, types.EncodingTypeUrl); err == nil {
		t.Error("a key that cannot be decoded is passed on")
	}
}

// A listing tells which objects must be restored before they can be read.
func TestListedClass(t *testing.T) {
	asked := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		_, _ = io.WriteString(w, `<ListBucketResult><Contents><Key>a</Key><StorageClass>STANDARD</StorageClass></Contents>
			<Contents><Key>b</Key><StorageClass>STANDARD_IA</StorageClass></Contents>
			<Contents><Key>c</Key><StorageClass>GLACIER</StorageClass></Contents>
			<Contents><Key>d</Key><StorageClass>DEEP_ARCHIVE</StorageClass><RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>
			<Contents><Key>e</Key><StorageClass>DEEP_ARCHIVE</StorageClass><RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2026-12-24T00:00:00Z</RestoreExpiryDate></RestoreStatus></Contents>
			</ListBucketResult>`)
	}))
	defer server.Close()
	u, err := url.Parse("s3://test?region=us-east-1&use_path_style=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t.Context(), u, Options{}, driver.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.onAWS = true
	got := make(map[string]string)
	for e, err := range b.List(t.Context(), driver.Listing{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = fmt.Sprint(e.Class, e.Archived)
	}
	want := map[string]string{"a": "false", "b": "STANDARD_IAfalse", "c": "GLACIERtrue", "d": "DEEP_ARCHIVEtrue", "e": "DEEP_ARCHIVEfalse"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if h := (<-asked).Get("X-Amz-Optional-Object-Attributes"); h != "RestoreStatus" {
		t.Errorf("asked for %q", h)
	}
}

// An error document that breaks off keeps its status, and the reason.
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

// The ETags of directory buckets look like MD5s but are not. No test server has such buckets,
// for which the SDK asks for a session.
func TestETagsOfDirectoryBuckets(t *testing.T) {
	out := &s3.GetObjectOutput{ETag: aws.String(`"5d41402abc4b2a76b9719d911017c592"`)}
	for name, claims := range map[string]int{
		"inbox":                   1,
		"inbox-s3":                1,
		"inbox--usw2-az1--x-s3":   0,
		"reader--usw2-az1--xa-s3": 0, // an access point
		"arn:aws:s3express:us-west-2:123456789012:accesspoint/reader--usw2-az1--xa-s3": 0,
	} {
		if got := (&bucket{name: name}).claimsOf(out); len(got) != claims {
			t.Errorf("%s: %d claims, want %d: %+v", name, len(got), claims, got)
		}
	}
}

// AWS is known by its endpoint, and never probed.
func TestIsAWS(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"": true, "https://s3.eu-central-1.amazonaws.com": true, "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com": true,
		"https://s3.cn-north-1.amazonaws.com.cn/": true,
		"http://127.0.0.1:9000":                   false, "https://fra1.digitaloceanspaces.com": false, "https://amazonaws.com.example.org": false,
		"https://notamazonaws.com": false, "%": false,
	} {
		if got := isAWS(endpoint); got != want {
			t.Errorf("%q: got %t, want %t", endpoint, got, want)
		}
	}
}

// What a probe found out counts for an hour.
func TestProbeGrowsOld(t *testing.T) {
	probed := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			probed++
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	u := &url.URL{Scheme: "s3", Host: "test", RawQuery: url.Values{
		"endpoint": {server.URL}, "region": {"us-east-1"}, "use_path_style": {"true"}, "anonymous": {"true"},
	}.Encode()}
	b, err := open(t.Context(), u, Options{}, driver.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, age := range []time.Duration{0, probeAgain - time.Minute, probeAgain} {
		if k := b.known.Load(); k != nil {
			b.known.Store(&knowledge{k.conditions, time.Now().Add(-age)})
		}
		if _, err := b.whichConditions(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := 1
		if age >= probeAgain {
			want = 2
		}
		if probed != want {
			t.Errorf("%s after the last probe there were %d, want %d", age, probed, want)
		}
	}
}

func TestRangeLength(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		etag string
		size int64
		want int64
	}{
		{"0123", 100 * mib, 8 * mib},            // one part
		{"0123-13", 100 * mib, 8 * mib},         // parts of 8 MiB
		{"0123-20", 100 * mib, 10 * mib},        // of 5 MiB: two at once
		{"0123-7", 100*mib - 1, 15 * mib},       // of 15 MiB
		{"0123-10", 640 * mib, 8 * mib},         // of 64 MiB: an eighth
		{"0123-100", 100*100*mib - 7, 10 * mib}, // of 100 MiB: a tenth
		{"0123-x", 100 * mib, 8 * mib},
		{"0123-0", 100 * mib, 8 * mib},
		{"0123-7", 1, 8 * mib}, // no upload in parts has this
		{"0123-1", 0, 8 * mib}, // empty, in one part
	} {
		if got := rangeLength(test.etag, test.size); got != test.want {
			t.Errorf("%s of %d bytes: %d MiB, want %d", test.etag, test.size, got/mib, test.want/mib)
		}
	}
}
