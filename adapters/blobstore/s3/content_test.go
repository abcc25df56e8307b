package s3_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Bodies are cut a thousand times: every checksum is right, and no byte is requested twice.
func TestBodiesThatBreakOff(t *testing.T) {
	const (
		objects = 50
		cuts    = 20 // of each
		size    = 1 << 20
	)
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	var cut drivertest.Cutter
	store := b.Through(server.Before(t, cut.Serve)).Open(t, blobstore.Config{})
	content := make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	o, want := b.Put(t, "a", string(content)), md5.Sum(content)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for range objects {
		offsets := make([]int64, cuts)
		for i := range offsets {
			offsets[i] = random.Int64N(size)
		}
		slices.Sort(offsets)
		cut.Left, cut.Sent = nil, atomic.Int64{}
		last := int64(0)
		for _, offset := range offsets {
			cut.Left = append(cut.Left, max(offset-last, 1))
			last = max(offset, last+1)
		}
		r, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.New()
		n, err := io.Copy(sum, r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if got := [md5.Size]byte(sum.Sum(nil)); n != size || got != want {
			t.Fatalf("got %d bytes with checksum %x, want %x", n, got, want)
		}
		if len(cut.Left) != 0 {
			t.Errorf("%d cuts did not happen", len(cut.Left))
		}
		if again := cut.Sent.Load() - size; again != 0 {
			t.Errorf("%d bytes were sent again", again)
		}
	}
}

// A body that never continues is given up; the error says how far it came.
func TestBodyThatNeverContinues(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", strings.Repeat("x", 5000))
	etag := `"` + o.ETag + `"`
	for name, then := range map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"the store has a fault": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			drivertest.Answer(w, 500, "InternalError")
		},
		"without another byte": func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		"the store was asked for": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", "5000")
			w.Header().Set("ETag", etag) // from the start, as a store does that knows no ranges
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := drivertest.Cutter{Left: []int64{1000}}
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Header.Get("Range") != "" {
					then(w, r, next)
					return
				}
				cut.Serve(w, r, next)
			})
			content, _, err := drivertest.ReadObject(t, b.Through(proxy).Open(t, blobstore.Config{}), o)
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "1000 of 5000") {
				t.Errorf("got %v", err)
			}
			if len(content) != 1000 {
				t.Errorf("got %d bytes", len(content))
			}
		})
	}
}

// Bodies are shorter than announced, or not announced at all. Of longer bodies, HTTP takes no
// more than was announced.
func TestBodiesOfWrongLength(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", "content")
	for name, body := range map[string]string{
		"does not say":         "",
		"without another byte": "cont",
	} {
		t.Run(name, func(t *testing.T) {
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				w.Header().Set("ETag", `"`+o.ETag+`"`)
				if body == "" || r.Header.Get("Range") != "" {
					w.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(w).Flush() // chunked: no length
					return
				}
				// By hand, as Go's server keeps to what it announced.
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nETag: %q\r\nContent-Length: %d\r\n\r\n%s", o.ETag, 7, body)
				_ = rw.Flush()
			})
			content, _, err := drivertest.ReadObject(t, b.Through(proxy).Open(t, blobstore.Config{}), o)
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "does not say") {
				t.Errorf("got %q, %v", content, err)
			}
		})
	}
}

// A body that arrives completely but differs from S3's own checksum is not summed.
func TestBodyThatWasDamaged(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	o := b.Put(t, "a", "content")
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(damager{w}, r)
	})
	_, _, err := drivertest.ReadObject(t, b.Through(proxy).Open(t, blobstore.Config{}), o)
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "checksum did not match") {
		t.Errorf("got %v", err)
	}
}

type damager struct{ http.ResponseWriter }

func (d damager) Write(p []byte) (int, error) {
	return d.ResponseWriter.Write(bytes.ReplaceAll(p, []byte("content"), []byte("c0ntent")))
}
