//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/pubsub"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/memory"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// BenchmarkServeS3 measures all that an object of 64 KiB costs a worker: its event, its
// requests to S3, its checksum, its record and its line in the log.
func BenchmarkServeS3(b *testing.B) {
	server := awsenv.StartVersitygw(b)
	server.Setenv(b)
	if err := os.Mkdir(filepath.Join(server.Dir, "photos"), 0o777); err != nil {
		b.Fatal(err)
	}
	bucket, err := blob.OpenBucket(b.Context(), server.BucketURL("photos"))
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	content := make([]byte, 64<<10)
	for n := range b.N {
		if err := bucket.WriteAll(b.Context(), fmt.Sprintf("%02x/%d", n%256, n), content, nil); err != nil {
			b.Fatal(err)
		}
	}
	queue := "mem://bench-" + rand.Text()
	topic, err := pubsub.OpenTopic(b.Context(), queue)
	if err != nil {
		b.Fatal(err)
	}
	defer topic.Shutdown(context.Background())
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	stderr, log := io.Pipe()
	lines := bufio.NewScanner(stderr)
	until := func(n int, part string) {
		for n > 0 && lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				n--
			}
		}
		if n > 0 {
			b.Errorf("%d lines with %q did not come", n, part)
		}
	}
	ended := make(chan int, 1)
	go func() {
		defer log.Close()
		p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: log, getenv: func(string) string { return "" }}
		ended <- dispatch(ctx, p, []string{"serve", "--listen", "off", "--queue", queue, "--bucket", server.BucketURL("photos")})
	}()
	until(1, "msg=serving")
	memory.LeaveGarbage()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ResetTimer()
	before := used()
	sent := make(chan error, 1)
	go func() {
		for n := range b.N {
			body := strings.Replace(objectEvent("Object Created", "photos", fmt.Sprintf("%02x/%d", n%256, n), "01"), `"key":`, `"size":65536,"key":`, 1)
			if err := topic.Send(ctx, &pubsub.Message{Body: []byte(body)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	until(b.N, "outcome=recorded")
	b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-us/op")
	if err := <-sent; err != nil {
		b.Error(err)
	}
	stop()
	for lines.Scan() { // to the end
	}
	if status := <-ended; status != exitOK {
		b.Errorf("exit status is %d", status)
	}
}
