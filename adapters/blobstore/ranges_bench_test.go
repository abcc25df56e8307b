package blobstore

import (
	"crypto/md5"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// pacedServer is a store with one object of zeros. Like S3, it sends on each connection at a
// limited rate, after a latency.
type pacedServer struct {
	size    int64
	rate    float64 // bytes a second
	latency time.Duration
}

func (s pacedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, to := int64(0), s.size
	status := http.StatusOK
	if header := r.Header.Get("Range"); header != "" {
		if _, err := fmt.Sscanf(header, "bytes=%d-%d", &from, &to); err == nil {
			to++
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, s.size))
		status = http.StatusPartialContent
	}
	time.Sleep(s.latency)
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Length", fmt.Sprint(to-from))
	w.WriteHeader(status)
	block := make([]byte, 256<<10)
	start := time.Now()
	for sent := int64(0); sent < to-from; {
		n, err := w.Write(block[:min(int64(len(block)), to-from-sent)])
		if err != nil {
			return // the client is gone
		}
		sent += int64(n)
		time.Sleep(time.Duration(float64(sent)/s.rate*1e9) - time.Since(start))
	}
}

// BenchmarkReadOneOnSlowS3 reads and digests one large object from a store with slow
// connections. It also reports the rate as a share of the rate of crypto/md5 from memory.
func BenchmarkReadOneOnSlowS3(b *testing.B) {
	const size = 2 << 30
	block := make([]byte, 128<<10)
	start, h := time.Now(), md5.New()
	for range size / 8 / len(block) {
		h.Write(block)
	}
	alone := 8 * time.Since(start)
	for _, rate := range []float64{90e6, 300e6} {
		b.Run(fmt.Sprintf("connection=%.0fMBps", rate/1e6), func(b *testing.B) {
			server := httptest.NewServer(pacedServer{size, rate, 15 * time.Millisecond})
			defer server.Close()
			store, err := Drivers{s3.Driver(s3.Options{})}.Open(b.Context(), "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, "test", Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			b.SetBytes(size)
			for b.Loop() {
				d, err := digest.New("md5")
				if err != nil {
					b.Fatal(err)
				}
				r, err := store.Open(b.Context(), pipeline.Object{Bucket: "test", Key: "a", Size: pipeline.UnknownSize})
				if err != nil {
					b.Fatal(err)
				}
				if n, err := digest.Copy(b.Context(), d, r); n != size || err != nil {
					b.Errorf("%d bytes, %v", n, err)
				}
				if err := r.Close(); err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(alone.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "of-md5")
		})
	}
}
