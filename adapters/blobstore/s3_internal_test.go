package blobstore

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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
