package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // opens the bucket for the test

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// account has S3 → EventBridge → SQS with a dead-letter queue, wired as on AWS.
type account struct {
	t             *testing.T
	server        awsenv.Server
	queue, failed string // URLs of the queues, as AWS has them
}

// eventPattern is the pattern of the EventBridge rule: changes of objects, not of
// records.
const eventPattern = `{
  "source": ["aws.s3"],
  "detail-type": ["Object Created", "Object Deleted", "Object Restore Completed"],
  "detail": {
    "bucket": {"name": ["objects"]},
    "object": {"key": [{"anything-but": {"suffix": ".md5"}}]}
  }
}`

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{t: t, server: awsenv.StartMoto(t)}
	a.aws("s3api", "create-bucket", "--bucket", "objects")
	a.aws("s3api", "put-bucket-notification-configuration", "--bucket", "objects",
		"--notification-configuration", `{"EventBridgeConfiguration":{}}`)
	a.failed = a.createQueue("failed", nil)
	a.queue = a.createQueue("objects", map[string]string{
		"VisibilityTimeout": "6",
		"RedrivePolicy":     `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:failed","maxReceiveCount":"20"}`,
	})
	a.aws("events", "put-rule", "--name", "objects", "--event-pattern", eventPattern)
	a.aws("events", "put-targets", "--rule", "objects", "--targets", "Id=queue,Arn=arn:aws:sqs:us-east-1:123456789012:objects")
	return a
}

// aws runs the AWS command line and returns what it prints.
func (a *account) aws(args ...string) []byte {
	a.t.Helper()
	name, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("CI") != "" {
			a.t.Fatal("the AWS command line is not installed: pip install awscli")
		}
		a.t.Skip("the AWS command line is not installed")
	}
	// Version 1 of the command line ignores the environment's endpoint for SQS.
	cmd := exec.Command(name, append([]string{"--endpoint-url", a.server.URL}, args...)...)
	cmd.Env = append(os.Environ(), a.server.Environ()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func (a *account) createQueue(name string, attributes map[string]string) (queueURL string) {
	a.t.Helper()
	args := []string{"sqs", "create-queue", "--queue-name", name}
	if attributes != nil {
		encoded, err := json.Marshal(attributes)
		if err != nil {
			a.t.Fatal(err)
		}
		args = append(args, "--attributes", string(encoded))
	}
	var created struct{ QueueUrl string }
	if err := json.Unmarshal(a.aws(args...), &created); err != nil {
		a.t.Fatal(err)
	}
	return created.QueueUrl
}

// worker starts a serve process.
func (a *account) worker(flags ...string) *program.Process {
	a.t.Helper()
	w, _ := a.serving(program.Options{}, flags...)
	return w
}

// serving is worker with options. It also returns the address of the HTTP side.
func (a *account) serving(o program.Options, flags ...string) (w *program.Process, address string) {
	a.t.Helper()
	o.Environ = a.server.Environ()
	w = o.Start(a.t, program.Build(a.t), append([]string{
		"serve", "--listen", "off", "--log-level", "debug",
		"--queue", awsenv.QueueURL(a.t, a.queue, "awssqs"),
		"--dead-letter", awsenv.QueueURL(a.t, a.failed, "awssqs"),
		"--bucket", "s3://objects?use_path_style=true",
	}, flags...)...)
	_, address, _ = strings.Cut(w.Until(1, program.Contains("msg=serving ")), " listen=")
	address, _, _ = strings.Cut(address, " ")
	return w, address
}

// left returns the number of messages in a queue, those in flight included.
func (a *account) left(queueURL string) int {
	a.t.Helper()
	client := sqs.New(sqs.Options{
		Region: awsenv.Region, BaseEndpoint: &a.server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
		}),
	})
	got, err := client.GetQueueAttributes(a.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	n := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var one int
		if _, err := fmt.Sscan(got.Attributes[name], &one); err != nil {
			a.t.Fatalf("%s: %v", name, err)
		}
		n += one
	}
	return n
}

// keys returns the keys of the bucket in order.
func (a *account) keys() []string {
	a.t.Helper()
	bucket := a.bucket()
	defer bucket.Close()
	var keys []string
	objects := bucket.List(nil)
	for {
		o, err := objects.Next(a.t.Context())
		if errors.Is(err, io.EOF) {
			slices.Sort(keys)
			return keys
		}
		if err != nil {
			a.t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
}

// content returns the content of an object.
func (a *account) content(key string) string {
	a.t.Helper()
	bucket := a.bucket()
	defer bucket.Close()
	content, err := bucket.ReadAll(a.t.Context(), key)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(content)
}

func (a *account) bucket() *blob.Bucket {
	a.t.Helper()
	bucket, err := blob.OpenBucket(a.t.Context(), a.server.BucketURL("objects")+"&response_checksum_validation=when_required") // moto keeps none
	if err != nil {
		a.t.Fatal(err)
	}
	return bucket
}

// TestAWS puts a hundred files into S3 and expects the right record beside each, although
// one of two workers is killed half-way.
func TestAWS(t *testing.T) {
	a := newAccount(t)
	a.server.Setenv(t) // also for what looks at the bucket in this process
	dir := t.TempDir()
	odd := []string{"with space", "a+b%20c", "ünïcödé ☃", `back\slash`, "'quoted\"", "deep/er/and/deeper/key", "#hash?query&x=y", "*star[1]", "empty", "tilde~!$()"}
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("plain/%d", i)
		if i < len(odd) {
			name = odd[i]
		}
		content := bytes.Repeat([]byte(name), i*100)
		switch name {
		case "empty":
			content = nil
		case "plain/50": // which the command line uploads in parts
			content = bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
		}
		sample.Write(t, dir, name, content)
		names = append(names, name)
	}

	first, second := a.worker(), a.worker()
	uploaded := make(chan struct{})
	go func() {
		defer close(uploaded)
		a.aws("s3", "cp", "--recursive", "--quiet", dir, "s3://objects/")
	}()
	recorded := program.Contains("outcome=recorded")
	first.Until(15, recorded)
	first.Stop(syscall.SIGKILL)
	<-uploaded
	poison := []string{
		`{"detail": {`,
		`{"version":"0","detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"secrets"},"object":{"key":"k"}}}`,
	}
	for _, body := range poison {
		a.aws("sqs", "send-message", "--queue-url", a.queue, "--message-body", body)
	}
	second.Poll("the last record", func() bool {
		n := 0
		for _, key := range a.keys() {
			if strings.HasSuffix(key, ".md5") {
				n++
			}
		}
		return n >= len(names)
	})
	// The messages of the killed worker come back after the visibility timeout.
	second.Poll("the end of the queue", func() bool { return a.left(a.queue) == 0 })
	if status := second.Stop(syscall.SIGTERM); status != 0 {
		t.Errorf("exit status is %d", status)
	}

	var want []string
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, name, name+".md5")
		if record := a.content(name + ".md5"); !strings.HasPrefix(strings.TrimPrefix(record, `\`), sample.MD5(content)+"  ") {
			t.Errorf("the record of %q is %q, want %s", name, record, sample.MD5(content))
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, a.keys()); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	a.wantDeadLetters(poison)
}

// wantDeadLetters expects exactly these dead letters, each with its reason.
func (a *account) wantDeadLetters(want []string) {
	a.t.Helper()
	if n := a.left(a.failed); n != len(want) {
		a.t.Errorf("%d dead letters, want %d", n, len(want))
	}
	var letters struct {
		Messages []struct {
			Body              string
			MessageAttributes map[string]struct{ StringValue string }
		}
	}
	out := a.aws("sqs", "receive-message", "--queue-url", a.failed, "--max-number-of-messages", "10", "--message-attribute-names", "All")
	if len(bytes.TrimSpace(out)) > 0 {
		if err := json.Unmarshal(out, &letters); err != nil {
			a.t.Fatal(err)
		}
	}
	var bodies []string
	for _, m := range letters.Messages {
		bodies = append(bodies, m.Body)
		if m.MessageAttributes["reason_poisoned"].StringValue == "" {
			a.t.Errorf("the dead letter %q has no reason: %v", m.Body, m.MessageAttributes)
		}
	}
	slices.Sort(bodies)
	slices.Sort(want)
	if diff := cmp.Diff(want, bodies); diff != "" {
		a.t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestProbesOnAWS expects that a worker reports a deleted queue, and no fault of its
// bucket.
func TestProbesOnAWS(t *testing.T) {
	a := newAccount(t)
	_, address := a.serving(program.Options{}, "--listen", "127.0.0.1:0")
	a.aws("sqs", "delete-queue", "--queue-url", a.queue)
	status, body := program.Get(t, "http://"+address+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"name":"queue"`) || !strings.Contains(body, "does not exist") || strings.Contains(body, "bucket objects") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, body := program.Get(t, "http://"+address+"/metrics"); status != http.StatusOK || !strings.Contains(body, "\nbucketsum_ready 0\n") {
		t.Errorf("/metrics: %d %s", status, body)
	}
}
