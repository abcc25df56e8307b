package main

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/testenv/program"
)

const (
	sparseSize = 256 << 20
	// step is the number of bytes between checkpoints. Each checkpoint has a line in the
	// log.
	step = 1 << 20
)

// sparse makes a large sparse file in a new folder, with a few bytes that differ in each
// part of it. It returns the folder and the MD5.
func sparse(t *testing.T) (dir, sum string) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for offset := int64(0); offset < sparseSize; offset += 5<<20 + 11 {
		if _, err := f.WriteAt([]byte(rand.Text()), offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(sparseSize); err != nil {
		t.Fatal(err)
	}
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return dir, hex.EncodeToString(h.Sum(nil))
}

// startResuming runs local on a folder with many checkpoints. The process waits when it
// is about 50 of them ahead of the last line that the test has read, so that it is still
// in the middle when the test stops it.
func startResuming(t *testing.T, dir string, args ...string) *program.Process {
	t.Helper()
	return startWith(t, program.Options{Throttled: true}, append([]string{"local", "--listen", "off", "--settle", "0s", "--log-level", "debug",
		"--checkpoint-above", "100MB", "--checkpoint-every", "1MiB"}, append(args, dir)...)...)
}

var logOffset = regexp.MustCompile(` offset=(\d+)`)

// offset returns the offset in a line of the log.
func offset(t *testing.T, line string) int64 {
	t.Helper()
	m := logOffset.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%q has no offset", line)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// summed waits for the record of the large file and checks it.
func summed(t *testing.T, r *program.Process, dir, sum string) {
	t.Helper()
	r.Until(1, func(line string) bool { return strings.HasPrefix(line, sum) && strings.HasSuffix(line, "large") })
	if status := r.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("status is %d", status)
	}
	record, err := os.ReadFile(filepath.Join(dir, "large.md5"))
	if err != nil || string(record) != sum+"  large\n" {
		t.Errorf("the record is %q, %v", record, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".bucketsum", "checkpoints", "*"))
	if err != nil || left != nil {
		t.Errorf("checkpoints are left: %v, %v", left, err)
	}
}

const (
	saved   = `msg="checkpoint saved"`
	resumed = `msg="reading resumes at a checkpoint"`
)

func TestKilledThreeTimes(t *testing.T) {
	dir, sum := sparse(t)
	last := int64(0)
	for n := range 3 {
		r := startResuming(t, dir)
		if n > 0 {
			if at := offset(t, r.Until(1, program.Contains(resumed))); at < last {
				t.Errorf("it begins at %d, the checkpoint was at %d", at, last)
			}
		}
		last = offset(t, r.Until(2, program.Contains(saved)))
		r.Stop(syscall.SIGKILL)
		if _, err := os.Stat(filepath.Join(dir, "large.md5")); err == nil {
			t.Fatal("it was faster than the kill, which proves nothing")
		}
	}
	r := startResuming(t, dir)
	if at := offset(t, r.Until(1, program.Contains(resumed))); at < last || at < 6*step {
		t.Errorf("it begins at %d, the checkpoint was at %d", at, last)
	}
	summed(t, r, dir, sum)
}

func TestTerminated(t *testing.T) {
	dir, sum := sparse(t)
	r := startResuming(t, dir, "--drain-timeout", "1ms")
	r.Until(1, program.Contains(saved))
	if status := r.Stop(syscall.SIGTERM); status != exitFailed {
		t.Errorf("status is %d", status)
	}
	last := int64(0)
	for _, line := range r.Output() {
		if strings.Contains(line, saved) {
			last = offset(t, line)
		}
	}
	r = startResuming(t, dir)
	if at := offset(t, r.Until(1, program.Contains(resumed))); at != last {
		t.Errorf("it begins at %d, it was stopped at %d", at, last)
	}
	summed(t, r, dir, sum)
}

func TestSliced(t *testing.T) {
	dir, sum := sparse(t)
	r := startResuming(t, dir, "--slice", "20ms", "--concurrency", "1")
	summed(t, r, dir, sum)
	slices, results := 0, 0
	for _, line := range r.Output() {
		if strings.Contains(line, `msg="message continues in a new one"`) {
			slices++
		}
		if strings.HasSuffix(line, " large") {
			results++
		}
	}
	if slices < 2 || results != 1 {
		t.Errorf("%d continuations, %d results", slices, results)
	}
}

// TestSliceNeedsItsQueue expects errors for mistakes with sizes and slices.
func TestSliceNeedsItsQueue(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"size":     {[]string{"--checkpoint-above", "4 gigs"}, "4GiB"},
		"negative": {[]string{"--checkpoint-every", "-1"}, "--checkpoint-every"},
		"overflow": {[]string{"--checkpoint-every", "9999999999TiB"}, "--checkpoint-every"},
		"slice":    {[]string{"--slice", "-1s"}, "--slice"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := call(t, nil, append([]string{"local", t.TempDir()}, tc.args...)...)
			if status != exitUsage || !strings.Contains(stderr, tc.want) {
				t.Errorf("status %d, %q", status, stderr)
			}
		})
	}
}

// TestQueueTakesSlices expects that slices are off if messages cannot be sent to the
// queue's own URL, with an error if the user asked for slices.
func TestQueueTakesSlices(t *testing.T) {
	for _, tc := range []struct {
		queue string
		args  []string
		off   bool
		fault bool
	}{
		{"awssqs://sqs.eu-central-1.amazonaws.com/1/q", nil, false, false},
		{"sqs://sqs.eu-central-1.amazonaws.com/1/q.fifo", []string{"--slice", "1h"}, false, false},
		{"mem://q?ackdeadline=1m", nil, false, false},
		{"amqp://h/?queue=q", nil, false, false},
		{"jetstream://h/s?consumer=c", nil, true, false},
		{"gcppubsub://projects/p/subscriptions/s", nil, true, false},
		{"gcppubsub://projects/p/subscriptions/s", []string{"--slice", "1h"}, true, true},
		{"gcppubsub://projects/p/subscriptions/s", []string{"--slice", "0"}, true, false},
	} {
		var c checkpointFlags
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		c.define(fs)
		if err := fs.Parse(tc.args); err != nil {
			t.Fatal(err)
		}
		err := c.validateQueue(tc.queue)
		if (err != nil) != tc.fault || (c.resume().Slice == 0) != tc.off {
			t.Errorf("%s %v: %v, slices of %s", tc.queue, tc.args, err, c.slice.Duration)
		}
	}
}
