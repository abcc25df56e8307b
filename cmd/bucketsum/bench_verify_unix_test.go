//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/memory"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// BenchmarkVerify measures what a verification of a folder costs beside sum, which reads the same files: CPU seconds for
// each GiB of files from 1 to 64 MiB, and for each 10,000 small objects by records only, in a folder and on S3.
func BenchmarkVerify(b *testing.B) {
	large, small := b.TempDir(), b.TempDir()
	size := 0
	for mib, count := range map[int]int{1: 64, 4: 32, 16: 8, 64: 2} {
		for n := range count {
			writeBenchFile(b, filepath.Join(large, fmt.Sprintf("%d-%d", mib, n)), bytes.Repeat([]byte{byte(n)}, mib<<20))
			size += mib << 20
		}
	}
	const many = 2000
	for n := range many {
		writeBenchFile(b, filepath.Join(small, fmt.Sprint(n)), fmt.Appendf(nil, "content %d", n))
	}
	server := awsenv.StartVersitygw(b)
	server.Setenv(b)
	const onS3 = 2 * many
	if err := os.Mkdir(filepath.Join(server.Dir, "photos"), 0o777); err != nil {
		b.Fatal(err)
	}
	photos := server.BucketURL("photos")
	bucket, err := blob.OpenBucket(b.Context(), photos)
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	for n := range onS3 {
		if err := bucket.WriteAll(b.Context(), fmt.Sprintf("%02x/%d", n%64, n), fmt.Appendf(nil, "content %d", n), nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, address := range []string{"file://" + large, "file://" + small, photos} {
		benchCommand(b, "backfill", address)
	}
	memory.LeaveGarbage()
	gib, tenThousand := float64(size)/(1<<30), many/10_000.0
	for _, bc := range []struct {
		name string
		unit string
		work float64
		args []string
	}{
		{"sum", "CPU-s/GiB", gib, []string{"sum", "file://" + large + "/"}},
		{"verify", "CPU-s/GiB", gib, []string{"verify", "file://" + large}},
		{"records only", "CPU-s/10k-objects", tenThousand, []string{"verify", "--records-only", "file://" + small}},
		{"backfill again", "CPU-s/10k-objects", tenThousand, []string{"backfill", "file://" + small}},
		{"records only on S3", "CPU-s/10k-objects", onS3 / 10_000.0, []string{"verify", "--records-only", photos}},
		{"backfill again on S3", "CPU-s/10k-objects", onS3 / 10_000.0, []string{"backfill", photos}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			var used time.Duration
			for b.Loop() {
				used += benchCommand(b, bc.args...)
			}
			b.ReportMetric(used.Seconds()/bc.work/float64(b.N), bc.unit)
		})
	}
}

func writeBenchFile(b *testing.B, name string, content []byte) {
	if err := os.WriteFile(name, content, 0o644); err != nil {
		b.Fatal(err)
	}
}

// benchCommand runs a command in this process and returns the processor time that it took.
func benchCommand(b *testing.B, args ...string) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	var stderr bytes.Buffer
	p := process{stdin: bytes.NewReader(nil), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	if status := dispatch(b.Context(), p, args); status != exitOK {
		b.Fatalf("%v: status %d: %s", args, status, &stderr)
	}
	return used() - before
}
