//go:build unix

package compare_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

var (
	enabled = flag.Bool("compare", false, "run TestCompare, which takes many minutes")
	runs    = flag.Int("runs", 3, "runs of each command")
	scale   = flag.Float64("scale", 1, "share of the data to use")
	only    = flag.String("only", "", "regular expression of the rows to run, such as 'large bucketsum'")
)

// workload is a folder of files and a bucket with the same objects.
type workload struct {
	name  string
	count int
	size  int64 // bytes of each
	peers []peer
}

// peer is a shell command that digests each file of the folder $W in the current
// folder, or each object of the bucket $W.
type peer struct {
	name, needs, command string
	share                int // how many of the objects it digests; 0: all
}

// TestCompare prints tables of CPU time, time and memory of the commands. It fails
// if their checksums differ.
func TestCompare(t *testing.T) {
	if !*enabled {
		t.Skip("run it by .ci/compare")
	}
	rows := regexp.MustCompile(*only)
	dir := t.TempDir()
	server := awsenv.StartVersitygw(t)
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: awsenv.Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	large, small := int64(float64(4<<30)**scale), max(1, int(5000**scale))
	for _, w := range []workload{
		{"one", 1, large, peers(0)},
		{"large", 16, large / 16, peers(4)},
		{"small", small, 64 << 10, peers(10)},
		{"mebibyte", max(1, int(large>>20)), 1 << 20, files},
		{"tiny", 4 * small, 16 << 10, files},
	} {
		measure(t, w, rows, dir, server, client)
	}
}

// peers returns the commands for files and objects. Slow ones digest only share
// objects, or all if share is 0.
func peers(share int) []peer {
	head := "cat"
	if share > 0 {
		head = fmt.Sprintf("head -%d", share)
	}
	each := "ls $W | " + head + " | while read -r k; do "
	return append(slices.Clip(files),
		peer{"s3 bucketsum", "bucketsum", "bucketsum sum \"s3://$W/?use_path_style=true\"", 0},
		peer{"s3 rclone md5sum", "rclone", "unset AWS_CA_BUNDLE; rclone md5sum --download --transfers 16 --checkers 16 gw:$W", 0},
		peer{"s3 boto3 + hashlib", "python3", "python3 -c \"$BOTO\" $W", 0},
		peer{"s3 s5cmd cat | md5sum", "s5cmd", each + "s5cmd cat s3://$W/$k | md5sum; done", share},
		peer{"s3 aws s3 cp | md5sum", "aws", each + "aws s3 cp --quiet s3://$W/$k - | md5sum; done", share},
	)
}

var files = []peer{
	{"file md5sum", "md5sum", "find $W -type f -print0 | sort -z | xargs -0 md5sum", 0},
	{"file bucketsum", "bucketsum", "find $W -type f -print0 | sort -z | xargs -0 bucketsum sum", 0},
}

const boto = `
import boto3, hashlib, sys
from botocore.config import Config
from concurrent.futures import ThreadPoolExecutor
s3 = boto3.client("s3", config=Config(max_pool_connections=16, s3={"addressing_style": "path"}))
def digest(key):
    h = hashlib.md5()
    for chunk in s3.get_object(Bucket=sys.argv[1], Key=key)["Body"].iter_chunks(1 << 20):
        h.update(chunk)
    return h.hexdigest(), key
keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket=sys.argv[1]) for o in p.get("Contents", [])]
with ThreadPoolExecutor(16) as pool:
    for r in pool.map(digest, keys):
        print(*r)
`

// usage is the cost of one run.
type usage struct {
	cpu, wall time.Duration
	memory    int64 // bytes of the largest process
}

func measure(t *testing.T, w workload, rows *regexp.Regexp, dir string, server awsenv.Server, client *s3.Client) {
	peers := slices.DeleteFunc(w.peers, func(p peer) bool {
		_, err := exec.LookPath(p.needs)
		return err != nil || !rows.MatchString(w.name+" "+p.name)
	})
	if len(peers) == 0 {
		return
	}
	folder := filepath.Join(dir, w.name)
	fill(t, folder, w, slices.ContainsFunc(peers, func(p peer) bool { return strings.HasPrefix(p.name, "s3") }), client)
	env := append(os.Environ(), server.Environ()...)
	env = append(env, "W="+w.name, "BOTO="+boto, "RCLONE_CONFIG_GW_TYPE=s3", "RCLONE_CONFIG_GW_PROVIDER=Other",
		"RCLONE_CONFIG_GW_ENV_AUTH=true", "RCLONE_CONFIG_GW_ENDPOINT="+server.URL, "S3_ENDPOINT_URL="+server.URL)
	var (
		want string // the checksums
		used = make([][]usage, len(peers))
	)
	run(t, peer{command: "cat $W/* > /dev/null || find $W -type f | xargs cat > /dev/null"}, dir, env) // into the page cache
	for range *runs {
		for i, p := range peers {
			out, u := run(t, p, dir, env)
			used[i] = append(used[i], u)
			if sums := checksums(out); want == "" && p.share == 0 {
				want = sums
			} else if p.share == 0 && sums != want {
				t.Errorf("%s: the checksums of %s are not those of %s", w.name, p.name, peers[0].name)
			}
		}
	}
	var table bytes.Buffer
	tab := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tab, "%d x %s\tCPU s/GiB\tCPU us/object\tseconds\tpeak MiB\t\n", w.count, kib(w.size))
	for i, p := range peers {
		count := w.count
		if p.share > 0 {
			count = min(count, p.share)
		}
		cpu := median(used[i], func(u usage) time.Duration { return u.cpu }).Seconds()
		fmt.Fprintf(tab, "%s\t%.3f\t%.0f\t%.2f\t%d\t\n", p.name,
			cpu/(float64(w.size)*float64(count)/(1<<30)), cpu*1e6/float64(count),
			median(used[i], func(u usage) time.Duration { return u.wall }).Seconds(),
			median(used[i], func(u usage) int64 { return u.memory })>>20)
	}
	_ = tab.Flush() // into memory
	fmt.Printf("\n%s", table.String())
	if err := os.RemoveAll(folder); err != nil {
		t.Error(err)
	}
}

func kib(size int64) string {
	if size >= 1<<20 {
		return fmt.Sprintf("%d MiB", size>>20)
	}
	return fmt.Sprintf("%d KiB", size>>10)
}

// fill makes the files, and the objects if wanted.
func fill(t *testing.T, folder string, w workload, upload bool, client *s3.Client) {
	t.Helper()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if upload {
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &w.name}); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.NewChaCha8([32]byte{})
	for i := range w.count {
		name := filepath.Join(folder, fmt.Sprintf("%06d", i))
		if err := write(t.Context(), name, io.LimitReader(random, w.size), w.name, upload, client); err != nil {
			t.Fatal(err)
		}
	}
}

func write(ctx context.Context, name string, content io.Reader, bucket string, upload bool, client *s3.Client) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil || !upload {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(filepath.Base(name)), Body: f},
		s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	return err
}

// run runs a command once. It returns its output, and the usage of the command and
// of the processes that it waited for.
func run(t *testing.T, p peer, dir string, env []string) (string, usage) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-c", p.command)
	c.Dir, c.Env = dir, env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	start := time.Now()
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", p.name, err, errs.String())
	}
	u := usage{cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime(), wall: time.Since(start)}
	if r, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = r.Maxrss << 10
	}
	return out.String(), u
}

// checksums returns the checksums in the output of a command, sorted.
func checksums(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i := range lines {
		lines[i], _, _ = strings.Cut(lines[i], " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func median[T cmp.Ordered](used []usage, of func(usage) T) T {
	values := make([]T, len(used))
	for i, u := range used {
		values[i] = of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
