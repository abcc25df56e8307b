//go:build !race

// Package api_test measures what the HTTP side costs the real program. The race detector takes several times the memory
// and the time.
package api_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// A large one is measured with -run TestUploadMemory -upload 10737418240.
var uploadSize = flag.Int64("upload", 256<<20, "bytes of the upload whose memory is measured")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(program.Exit)) }

// local runs bucketsum local on a folder, and returns the address of its page.
func local(t testing.TB, dir string) (*program.Process, string) {
	t.Helper()
	p := program.Options{}.Start(t, program.Build(t), "local", "--listen", "127.0.0.1:0", "--settle", "100ms", dir)
	_, rest, _ := strings.Cut(p.Until(1, program.Contains("http://")), "http://")
	address, _, _ := strings.Cut(rest, "/")
	go func() { // the process must not wait for its readers
		for range p.Lines {
		}
	}()
	return p, "http://" + address
}

func process(t testing.TB, p *program.Process, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(p.PID()), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestUploadMemory: the program stays below 64 MiB resident while it digests an upload, whatever its size.
func TestUploadMemory(t *testing.T) {
	p, url := local(t, t.TempDir())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/checksums?algorithms=md5,sha256", io.LimitReader(zeros{}, *uploadSize))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(answer), fmt.Sprintf(`"size":%d,`, *uploadSize)) {
		t.Errorf("got %s, %v", answer, err)
	}
	_, rest, _ := strings.Cut(process(t, p, "status"), "VmHWM:")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB resident at most", kilobytes)
	if kilobytes >= 64<<10 {
		t.Errorf("%d KiB were resident", kilobytes)
	}
	p.Stop(syscall.SIGTERM)
}

const (
	objects  = 5000
	watchers = 100
	lookups  = 50 // a second
)

// work has the objects of a new folder digested, and returns the CPU seconds of the program. The clients, if any,
// watch and look up meanwhile.
func work(b *testing.B, clients func(ctx context.Context, url string)) float64 {
	dir := filepath.Join(b.TempDir(), "inbox")
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	p, url := local(b, dir)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	if clients != nil {
		running.Go(func() { clients(ctx, url) })
		time.Sleep(time.Second) // all watch
	}
	content := bytes.Repeat([]byte("x"), 16<<10)
	for i := range objects {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	done := fmt.Sprintf(`"totals":{"summed":%d,`, objects)
	for {
		if _, status := program.Get(b, url+"/v1/status"); strings.Contains(status, done) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	fields := strings.Fields(process(b, p, "stat"))
	var user, system float64
	if _, err := fmt.Sscan(fields[13]+" "+fields[14], &user, &system); err != nil {
		b.Fatal(err)
	}
	stop()
	running.Wait()
	p.Stop(syscall.SIGTERM)
	return (user + system) / 100
}

// crowd watches all events with 100 clients, and looks up 50 records a second.
func crowd(b *testing.B) func(ctx context.Context, url string) {
	return func(ctx context.Context, url string) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: watchers}}
		defer client.CloseIdleConnections()
		get := func(path string) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
			if err != nil {
				b.Error(err)
				return
			}
			response, err := client.Do(request)
			if err != nil {
				if ctx.Err() == nil {
					b.Error(err)
				}
				return
			}
			defer response.Body.Close()
			if n, _ := io.Copy(io.Discard, response.Body); n == 0 && ctx.Err() == nil {
				b.Errorf("GET %s: %d without a body", path, response.StatusCode)
			}
		}
		var all sync.WaitGroup
		defer all.Wait()
		for range watchers {
			all.Go(func() { get("/v1/events") })
		}
		tick := time.NewTicker(time.Second / lookups)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			select {
			case <-tick.C:
				get(fmt.Sprint("/v1/records/inbox/", i%objects))
			case <-ctx.Done():
			}
		}
	}
}

// BenchmarkCrowd compares the CPU time for 5,000 objects without and with 100 clients that watch all events and 50
// lookups a second: go test -run - -bench Crowd -benchtime 5x. The least of the runs counts, because other work on the
// machine only adds to it.
func BenchmarkCrowd(b *testing.B) {
	alone, crowded := math.Inf(1), math.Inf(1)
	for b.Loop() {
		a, c := work(b, nil), work(b, crowd(b))
		b.Logf("alone %.2f CPU-s, crowded %.2f CPU-s", a, c)
		alone, crowded = min(alone, a), min(crowded, c)
	}
	b.ReportMetric(alone, "alone-cpu-s")
	b.ReportMetric(crowded, "crowded-cpu-s")
	b.ReportMetric(100*(crowded/alone-1), "%more")
}
