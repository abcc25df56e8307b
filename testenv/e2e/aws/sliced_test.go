package aws_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// TestSlicedOnAWS cuts the work on an object on S3 into messages on SQS, and kills the
// worker during it.
func TestSlicedOnAWS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts moto and processes of the AWS command line")
	}
	a := newAccount(t)
	a.server.Setenv(t)
	content := make([]byte, 48<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sample.Write(t, dir, "large", content)
	flags := []string{"--checkpoint-above", "1MiB", "--checkpoint-every", "1MiB", "--slice", "20ms", "--concurrency", "1"}
	first, _ := a.serving(program.Options{Throttled: true}, flags...) // it waits in the middle, however late the kill is
	a.aws("s3", "cp", "--quiet", filepath.Join(dir, "large"), "s3://objects/")
	first.Until(1, program.Contains(`msg="checkpoint saved"`))
	first.Stop(syscall.SIGKILL)
	second := a.worker(flags...)
	second.Until(1, func(line string) bool {
		if strings.Contains(line, "outcome=current") {
			t.Fatal("the first was faster than the kill, which proves nothing")
		}
		return strings.Contains(line, "outcome=recorded")
	})
	// The queue also gets the events of the checkpoints.
	second.Poll("the end of the queue", func() bool { return a.left(a.queue) == 0 })
	if status := second.Stop(syscall.SIGTERM); status != 0 {
		t.Errorf("exit status is %d", status)
	}
	output := strings.Join(second.Output(), "\n")
	if !strings.Contains(output, `msg="reading resumes at a checkpoint"`) || !strings.Contains(output, `msg="message continues in a new one"`) {
		t.Error("it was not resumed, or not cut")
	}
	if keys := a.keys(); len(keys) != 2 {
		t.Errorf("the bucket has %q", keys)
	}
	if got, want := a.content("large.md5"), sample.MD5(content)+"  large\n"; got != want {
		t.Errorf("the record is %q, want %q", got, want)
	}
	a.wantDeadLetters(nil)
}
