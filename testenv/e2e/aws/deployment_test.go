package aws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// The account and region in Terraform's rendered documents.
const (
	renderedAccount = "123456789012"
	renderedRegion  = "eu-central-1"
)

// rendered is a pipeline as terraform/modules/pipeline renders it. .ci/terraform checks
// that the files in testdata/terraform are equal to the module's output.
type rendered struct {
	Documents struct {
		Names struct {
			Queues, Rules, Buckets map[string]string
			Created                []string
		}
		Keys                 map[string]string
		EventPatterns        map[string]json.RawMessage `json:"event_patterns"`
		QueuePolicies        map[string]json.RawMessage `json:"queue_policies"`
		RedrivePolicy        json.RawMessage            `json:"redrive_policy"`
		RedriveAllowPolicies map[string]json.RawMessage `json:"redrive_allow_policies"`
		WorkerPolicy         json.RawMessage            `json:"worker_policy"`
		AuditPolicy          json.RawMessage            `json:"audit_policy"`
		TrustPolicies        map[string]json.RawMessage `json:"trust_policies"`
	}
	HelmValues struct {
		Record            string
		Algorithms        []string
		OnDelete          string
		Queue, DeadLetter struct{ URL string }
		Buckets           []struct{ Name, URL string }
		RecordTo          []string
		RecordBucket      string
		RecordTags        map[string]string
		NativeChecks      *bool
		Results           struct{ URL string }
		Reports           string
		Audit             struct{ Reports string }
	} `json:"helm_values"`
}

func readRendered(t *testing.T, name string) rendered {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "terraform", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r rendered
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// flags returns the flags that the chart makes of its values.
func (r rendered) flags() []string {
	v := r.HelmValues
	flags := []string{
		"--dead-letter", v.DeadLetter.URL, "--record", v.Record, "--algorithms", strings.Join(v.Algorithms, ","), "--on-delete", v.OnDelete,
		// Moto continues the receive of a worker that has ended. The message that it
		// delivers there must come back soon.
		"--queue", v.Queue.URL + "&waittime=1s&visibility=10s",
	}
	for _, b := range v.Buckets {
		flags = append(flags, "--bucket", b.URL)
	}
	if v.RecordTo != nil {
		flags = append(flags, "--record-to", strings.Join(v.RecordTo, ","))
	}
	if v.RecordBucket != "" {
		flags = append(flags, "--record-bucket", v.RecordBucket)
	}
	for name, value := range v.RecordTags {
		flags = append(flags, "--record-tag", name+"="+value)
	}
	if !r.nativeChecks() {
		flags = append(flags, "--native-checks", "off")
	}
	if v.Results.URL != "" {
		flags = append(flags, "--results", v.Results.URL)
	}
	if v.Reports != "" {
		flags = append(flags, "--reports", v.Reports)
	}
	return flags
}

func (r rendered) nativeChecks() bool {
	return r.HelmValues.NativeChecks == nil || *r.HelmValues.NativeChecks
}

func (r rendered) onlyTags() bool { return slices.Equal(r.HelmValues.RecordTo, []string{"tags"}) }

// deployment is a rendered pipeline on moto.
type deployment struct {
	*account
	rendered
	s3      *s3.Client // of an administrator
	sqs     *sqs.Client
	client  *http.Client
	policy  awsenv.Policy            // of the worker's role, as moto has it
	queues  map[string]awsenv.Policy // of the queues, by ARN, as moto has them
	session session
}

// session has the credentials of requests: those of the worker, after it has assumed
// its role, or those of an administrator.
type session struct{ AccessKeyID, SecretAccessKey, SessionToken string }

var administrator = session{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}

// deploy creates on moto what Terraform would create on AWS, with the same documents,
// and reads them back.
func deploy(t *testing.T, server awsenv.Server, r rendered) *deployment {
	t.Helper()
	d := &deployment{account: &account{t: t, server: server}, rendered: r, queues: make(map[string]awsenv.Policy)}
	d.s3, d.sqs = clients(t, server, administrator)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	d.client = &http.Client{Transport: transport}
	names := r.Documents.Names
	d.createBuckets(d.s3)
	for _, bucket := range names.Buckets {
		_, err := d.s3.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
			Bucket: &bucket, NotificationConfiguration: &s3types.NotificationConfiguration{EventBridgeConfiguration: &s3types.EventBridgeConfiguration{}},
		})
		d.must(err)
	}
	if u := r.HelmValues.Results.URL; u != "" {
		d.createQueue(nameOf(u), nil)
	}
	for _, label := range []string{"dead_letters", "undelivered", "work"} {
		attributes := map[string]string{
			"VisibilityTimeout": "180",
			"Policy":            compact(t, r.Documents.QueuePolicies[label]), "RedriveAllowPolicy": compact(t, r.Documents.RedriveAllowPolicies[label]),
		}
		if label == "work" {
			attributes["RedrivePolicy"] = compact(t, r.Documents.RedrivePolicy)
		}
		d.createQueue(names.Queues[label], attributes)
	}
	d.queue, d.failed = queueURL(names.Queues["work"]), queueURL(names.Queues["dead_letters"])
	for label, rule := range names.Rules {
		d.cli("events", "put-rule", "--name", rule, "--event-pattern", compact(t, r.Documents.EventPatterns[label]))
		d.cli("events", "put-targets", "--rule", rule, "--targets", compact(t, []map[string]any{{
			"Id": "queue", "Arn": queueARN(names.Queues["work"]), "DeadLetterConfig": map[string]string{"Arn": queueARN(names.Queues["undelivered"])},
		}}))
	}
	d.policy, d.session = d.assume("worker", r.Documents.WorkerPolicy)
	for _, name := range names.Queues {
		out, err := d.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(queueURL(name)), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNamePolicy},
		})
		d.must(err)
		d.queues[queueARN(name)] = d.parse([]byte(out.Attributes["Policy"]))
	}
	return d
}

func (d *deployment) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) parse(document []byte) awsenv.Policy {
	d.t.Helper()
	p, err := awsenv.ParsePolicy(document)
	d.must(err)
	return p
}

// cli runs the AWS command line as an administrator.
func (d *deployment) cli(args ...string) []byte {
	d.t.Helper()
	return d.aws(append([]string{"--region", renderedRegion, "--output", "json"}, args...)...)
}

// createBuckets creates the buckets, with versioning where Terraform enables it.
func (d *deployment) createBuckets(client *s3.Client) {
	d.t.Helper()
	names := slices.Collect(maps.Values(d.Documents.Names.Buckets))
	for _, u := range []string{d.HelmValues.RecordBucket, d.HelmValues.Reports} {
		if u != "" {
			names = append(names, hostOf(u))
		}
	}
	for _, name := range names {
		_, err := client.CreateBucket(d.t.Context(), &s3.CreateBucketInput{
			Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: renderedRegion},
		})
		d.must(err)
		if slices.Contains(d.Documents.Names.Created, name) {
			_, err = client.PutBucketVersioning(d.t.Context(), &s3.PutBucketVersioningInput{
				Bucket: &name, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
			})
			d.must(err)
		}
	}
}

func (d *deployment) createQueue(name string, attributes map[string]string) {
	d.t.Helper()
	_, err := d.sqs.CreateQueue(d.t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	d.must(err)
}

// gate returns a proxy before the server that lets an access key do what a policy allows.
func (d *deployment) gate(accessKey string, policy awsenv.Policy) *awsenv.Gate {
	g := &awsenv.Gate{AccessKey: accessKey, Region: renderedRegion, Identity: policy, Queues: d.queues, Keys: make(map[string]awsenv.Key)}
	for arn, key := range d.Documents.Keys {
		g.Keys[arn] = awsenv.Key{ARN: key, BucketKey: slices.Contains(d.Documents.Names.Created, nameOf(arn))}
	}
	return g
}

// as returns the environment of a client with these credentials that uses a proxy.
func (s session) as(through awsenv.Server) []string {
	return append(through.Environ(), "AWS_REGION="+renderedRegion, "AWS_ACCESS_KEY_ID="+s.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+s.SecretAccessKey, "AWS_SESSION_TOKEN="+s.SessionToken)
}

// serve starts the worker with the chart's values and an environment.
func (d *deployment) serve(environ []string, flags ...string) *program.Process {
	d.t.Helper()
	w := program.Options{Environ: environ}.Start(d.t, program.Build(d.t), append(append([]string{"serve", "--listen", "off", "--log-level", "debug"}, d.flags()...), flags...)...)
	w.Until(1, program.Contains("msg=serving"))
	return w
}

// wait waits until a condition holds.
func (d *deployment) wait(what string, so func() bool) {
	d.t.Helper()
	late := time.After(time.Minute)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-late:
			d.t.Fatalf("it never was so that %s", what)
		}
	}
}

// left returns the number of messages in a queue, those in flight included.
func (d *deployment) left(queueURL string) int {
	d.t.Helper()
	n := 0
	out, err := d.sqs.GetQueueAttributes(d.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &queueURL, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	d.must(err)
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		var one int
		d.must(json.Unmarshal([]byte(out.Attributes[name]), &one))
		n += one
	}
	return n
}

// put writes an object, and sets a storage class that is not empty.
func (d *deployment) put(bucket, key string, content []byte, class s3types.StorageClass) (version string) {
	d.t.Helper()
	out, err := d.s3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content), StorageClass: class})
	d.must(err)
	return aws.ToString(out.VersionId)
}

// putParts writes an object in parts of 5 and 6 MiB; only S3 knows these sizes. The
// object has a CRC32 of all content, which is too weak to make a check of the ETag
// unnecessary.
func putParts(t *testing.T, client *s3.Client, bucket, key string) (version string, content []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: &key, ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32, ChecksumType: s3types.ChecksumTypeFullObject,
	})
	must(err)
	var done []s3types.CompletedPart
	for i, size := range []int{5 << 20, 6 << 20} {
		part, number := bytes.Repeat([]byte{byte(i)}, size), aws.Int32(int32(i+1))
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: upload.UploadId, PartNumber: number, Body: bytes.NewReader(part), ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32})
		must(err)
		done = append(done, s3types.CompletedPart{ETag: out.ETag, PartNumber: number, ChecksumCRC32: out.ChecksumCRC32})
		content = append(content, part...)
	}
	out, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: upload.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: done},
		ChecksumType: s3types.ChecksumTypeFullObject,
	})
	must(err)
	return aws.ToString(out.VersionId), content
}

// events sends events to EventBridge in the name of S3, which only moto allows.
func (d *deployment) events(detailType string, details ...string) {
	d.t.Helper()
	var entries []map[string]string
	for _, detail := range details {
		entries = append(entries, map[string]string{"Source": "aws.s3", "DetailType": detailType, "Detail": detail})
	}
	body := compact(d.t, map[string]any{"Entries": entries})
	status := ""
	for range 5 { // moto answers with a page that says 500 when several tests use it at the same moment
		var out struct{ FailedEntryCount *int }
		if status = d.putEvents(body, &out); status == "200 OK" {
			if out.FailedEntryCount == nil || *out.FailedEntryCount > 0 {
				d.t.Fatal("EventBridge did not take all events")
			}
			return
		}
	}
	d.t.Fatalf("EventBridge answered %s", status)
}

// putEvents sends the body of one request and returns the status of the answer, which it reads into out if it is 200.
func (d *deployment) putEvents(body string, out any) string {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.server.URL, strings.NewReader(body))
	d.must(err)
	request.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+awsenv.AccessKey+"/20260101/"+renderedRegion+"/events/aws4_request, SignedHeaders=host, Signature=0")
	response, err := d.client.Do(request)
	d.must(err)
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		d.must(json.NewDecoder(response.Body).Decode(out))
	}
	return response.Status
}

// get returns the content of an object, and whether the object exists.
func (d *deployment) get(bucket, key string) (string, bool) {
	d.t.Helper()
	out, err := d.s3.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if gone := (*s3types.NoSuchKey)(nil); errors.As(err, &gone) {
		return "", false
	}
	d.must(err)
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	d.must(err)
	return string(content), true
}
