package aws_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// pipelines are the names of all that Terraform has rendered.
var pipelines = []string{"defaults", "prefixes", "record_bucket", "tags", "cloudtrail", "passes"}

// TestTerraformOnAWS runs workers in pipelines as Terraform renders them, with the
// credentials of their roles, through a proxy that enforces the policies. All pipelines
// are in one account, so that a rule that matches too much shows. The worker must use
// every permission, and must not need any other.
func TestTerraformOnAWS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts moto and many processes of the AWS command line")
	}
	moto, versitygw := awsenv.StartMoto(t), awsenv.StartVersitygwIn(t, renderedRegion)
	for _, name := range pipelines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, moto, readRendered(t, name))
			used := d.forbidden()
			gate := d.gate(d.session.AccessKeyID, d.policy)
			through := gate.Open(t, moto)
			w := d.serve(d.session.as(through), "--checkpoint-above", "128KiB", "--checkpoint-every", "128KiB", "--slice", "1ms")
			d.allowedAgain(w)
			for _, b := range d.HelmValues.Buckets {
				f := flow{d, w, b.Name, d.prefix(b.Name)}
				f.run()
			}
			d.deadLetters(w)
			d.wait("the queue is empty", func() bool { return d.left(d.queue) == 0 })
			if status := w.Stop(syscall.SIGTERM); status != 0 {
				t.Errorf("exit status is %d", status)
			}
			for _, line := range w.Output() {
				if strings.Contains(line, "is a checksum record itself") || strings.Contains(line, ".bucketsum/") && strings.Contains(line, "message superseded") {
					t.Errorf("a record or a checkpoint reached the queue: %s", line)
				}
			}
			if d.HelmValues.Reports != "" {
				d.backfill(through)
			}
			used = append(used, gate.Used()...)
			if d.nativeChecks() {
				used = append(used, d.sumParts(versitygw)...)
			}
			slices.Sort(used)
			if diff := cmp.Diff(d.policy.Grants(), slices.Compact(used)); diff != "" {
				t.Errorf("what the policy allows and what the worker does (-allowed +done):\n%s", diff)
			}
			if denied := notProbes(gate.Denied()); len(denied) > 0 {
				t.Errorf("the worker was denied %v", denied)
			}
			d.wantDoors()
			d.wantDenied(through)
			if d.HelmValues.Reports != "" {
				refused(t, d.besideReports(through, d.session))
				d.audit(moto, versitygw)
			}
		})
	}
}

// notProbes leaves out the probes of a store that is not AWS: some roles may not write where they are, and none may delete
// versions.
func notProbes(all []awsenv.Access) []awsenv.Access {
	return slices.DeleteFunc(all, func(a awsenv.Access) bool { return strings.Contains(a.Resource, "/.bucketsum/checkpoints/probe-") })
}

// forbidden starts a worker that may not write records. The worker reports that, and
// returns the event to the queue when it is stopped.
func (d *deployment) forbidden() (used []string) {
	d.t.Helper()
	gate := d.gate(d.session.AccessKeyID, d.policy.Without("s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"))
	w := d.serve(d.session.as(gate.Open(d.t, d.server)))
	f := d.late(w)
	f.put(f.bucket, f.prefix+"late", []byte("late\n"), "")
	if f.trail() {
		f.tell("PutObject", f.prefix+"late", "")
	}
	d.wait("the worker is denied something", func() bool { return len(gate.Denied()) > 0 })
	if status := w.Stop(syscall.SIGTERM); status != 0 {
		d.t.Errorf("exit status is %d", status)
	}
	if output := strings.Join(w.Output(), "\n"); !strings.Contains(output, `msg="message goes back to the queue"`) || !strings.Contains(output, "this program needs s3:Put") {
		d.t.Error("the log does not say what is missing")
	}
	if n, dead := d.left(d.queue), d.left(d.failed); n == 0 || dead > 0 {
		d.t.Errorf("%d messages are left and %d are dead letters", n, dead)
	}
	return gate.Used()
}

// allowedAgain expects the records that forbidden could not write.
func (d *deployment) allowedAgain(w *program.Process) {
	d.t.Helper()
	f := d.late(w)
	f.handled("", "late", nil)
	f.wantRecord("late", []byte("late\n"))
}

func (d *deployment) late(w *program.Process) flow {
	bucket := d.HelmValues.Buckets[0].Name
	return flow{d, w, bucket, d.prefix(bucket)}
}

// sumParts sums multipart objects. They are on versitygw, because moto answers a HEAD of
// a part with the ETag of the part.
func (d *deployment) sumParts(versitygw awsenv.Server) (used []string) {
	d.t.Helper()
	objects, _ := clients(d.t, versitygw, administrator)
	d.createBuckets(objects)
	gate := d.gate(awsenv.AccessKey, d.policy)
	w := d.serve(append(administrator.as(gate.Open(d.t, d.server)), "AWS_ENDPOINT_URL_S3="+gate.Open(d.t, versitygw).URL))
	for _, b := range d.HelmValues.Buckets {
		f := flow{d, w, b.Name, d.prefix(b.Name)}
		key := f.prefix + "parts"
		version, content := putParts(d.t, objects, b.Name, key)
		detail := fmt.Sprintf(`{"version":"0","bucket":{"name":%q},"object":{"key":%q,"version-id":%q,"size":%d,"sequencer":"61"},"reason":"CompleteMultipartUpload"}`, b.Name, key, version, len(content))
		f.handled("CompleteMultipartUpload", "parts", func() string {
			if !d.trail() {
				d.events("Object Created", detail)
			}
			return version
		})
		f.deployment = &deployment{account: d.account, rendered: d.rendered, s3: objects}
		f.wantRecord("parts", content)
	}
	if status := w.Stop(syscall.SIGTERM); status != 0 {
		d.t.Errorf("exit status is %d", status)
	}
	return gate.Used()
}

// prefix returns the prefix of the keys in a bucket.
func (d *deployment) prefix(bucket string) string {
	for label, name := range d.Documents.Names.Buckets {
		if name == bucket && strings.Contains(string(d.Documents.EventPatterns[label]), `"in/*"`) {
			return "in/"
		}
	}
	return ""
}

// trail reports whether events come from CloudTrail.
func (d *deployment) trail() bool {
	return strings.Contains(string(d.Documents.EventPatterns["inbox"]), "CloudTrail")
}

// flow changes objects of one bucket and checks what the worker does.
type flow struct {
	*deployment
	w      *program.Process
	bucket string
	prefix string
}

func (f flow) run() {
	f.t.Helper()
	f.created("small", []byte("hello\n"))
	f.created("small", []byte("hello again\n"))
	if f.prefix != "" {
		f.put(f.bucket, "elsewhere/small", []byte("nobody asked"), "") // the rule leaves it out
	}
	if !f.onlyTags() && f.HelmValues.RecordBucket == "" {
		f.put(f.bucket, f.prefix+"mine.sha512", []byte("somebody's"), "") // the rule, or the worker, leaves it out
	}
	large := make([]byte, 512<<10)
	_, _ = rand.Read(large) // never fails
	f.created("large", large)
	if f.trail() {
		return // it tells neither of restores nor, with keep, of deletions
	}
	f.archived()
	f.deleted()
}

// handled changes an object and waits until the worker has handled the event.
func (f flow) handled(eventName, key string, happens func() (version string)) {
	f.t.Helper()
	if happens != nil {
		version := happens()
		if f.trail() {
			f.tell(eventName, f.prefix+key, version)
		}
	}
	f.w.Until(1, func(line string) bool {
		return strings.Contains(line, `msg="object handled" outcome=recorded`) && strings.Contains(line, "bucket="+f.bucket+" key="+f.prefix+key+" ")
	})
}

// created puts an object and expects its record.
func (f flow) created(key string, content []byte) {
	f.t.Helper()
	f.handled("PutObject", key, func() string { return f.put(f.bucket, f.prefix+key, content, "") })
	f.wantRecord(key, content)
}

// tell sends the event that CloudTrail sends for a call, and one for a failed call.
func (f flow) tell(name, key, version string) {
	f.t.Helper()
	detail := func(more string) string {
		return fmt.Sprintf(`{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":%q,"requestParameters":{"bucketName":%q,"key":%q},"responseElements":{"x-amz-version-id":%q}%s}`,
			name, f.bucket, key, version, more)
	}
	f.events("AWS API Call via CloudTrail", detail(`,"errorCode":"AccessDenied"`), detail(""))
}

// archived puts an object that must be restored before it can be read.
func (f flow) archived() {
	f.t.Helper()
	key, content := f.prefix+"archived", []byte("from the archive\n")
	f.put(f.bucket, key, content, s3types.StorageClassGlacier)
	f.w.Until(1, func(line string) bool {
		return strings.Contains(line, `msg="message superseded"`) && strings.Contains(line, "archive")
	})
	f.handled("", "archived", func() string {
		_, err := f.s3.RestoreObject(f.t.Context(), &s3.RestoreObjectInput{Bucket: &f.bucket, Key: &key, RestoreRequest: &s3types.RestoreRequest{Days: aws.Int32(1)}})
		f.must(err)
		for range 2 { // moto continues a restore at each look at the object
			_, err = f.s3.HeadObject(f.t.Context(), &s3.HeadObjectInput{Bucket: &f.bucket, Key: &key})
			f.must(err)
		}
		return ""
	})
	f.wantRecord("archived", content)
}

// deleted deletes an object, and expects that the worker removes all of its records,
// including one of an algorithm that it no longer computes.
func (f flow) deleted() {
	f.t.Helper()
	key := f.prefix + "small"
	sidecar, kept := f.sidecar(key, "md5")
	former, _ := f.sidecar(key, "sha1")
	if f.prefix != "" && f.HelmValues.RecordBucket == "" {
		_, err := f.s3.CopyObject(f.t.Context(), &s3.CopyObjectInput{Bucket: &kept, Key: &former, CopySource: aws.String(kept + "/" + sidecar)})
		f.must(err)
	}
	out, err := f.s3.DeleteObject(f.t.Context(), &s3.DeleteObjectInput{Bucket: &f.bucket, Key: &key})
	f.must(err)
	if aws.ToBool(out.DeleteMarker) { // of which moto sends no event
		f.events("Object Deleted", fmt.Sprintf(`{"version":"0","bucket":{"name":%q},"object":{"key":%q,"version-id":%q,"sequencer":"617f0837b476e463"},"reason":"DeleteObject","deletion-type":"Delete Marker Created"}`,
			f.bucket, key, aws.ToString(out.VersionId)))
	}
	f.w.Until(1, func(line string) bool {
		return strings.Contains(line, "object handled") && !strings.Contains(line, "outcome=recorded") && strings.Contains(line, "key="+key+" ")
	})
	for _, record := range []string{sidecar, former} {
		if got, ok := f.get(kept, record); ok {
			f.t.Errorf("%s/%s is still there: %q", kept, record, got)
		}
	}
}

// sidecar returns the key and the bucket of an object's record.
func (f flow) sidecar(key, alg string) (record, bucket string) {
	record, bucket = strings.NewReplacer("{key}", key, "{alg}", alg).Replace(f.HelmValues.Record), f.bucket
	if u := f.HelmValues.RecordBucket; u != "" {
		record, bucket = f.bucket+"/"+record, hostOf(u)
	}
	return record, bucket
}

func (f flow) wantRecord(key string, content []byte) {
	f.t.Helper()
	key = f.prefix + key
	sha := sha256.Sum256(content)
	sums := map[string]string{"md5": sample.MD5(content), "sha256": hex.EncodeToString(sha[:])}
	if f.onlyTags() {
		out, err := f.s3.GetObjectTagging(f.t.Context(), &s3.GetObjectTaggingInput{Bucket: &f.bucket, Key: &key})
		f.must(err)
		for _, tag := range out.TagSet {
			if *tag.Key == "bucketsum:md5" && *tag.Value == sums["md5"] {
				return
			}
		}
		f.t.Errorf("%s/%s has the tags %v", f.bucket, key, out.TagSet)
		return
	}
	for _, alg := range f.HelmValues.Algorithms {
		record, bucket := f.sidecar(key, alg)
		if got, ok := f.get(bucket, record); !ok || !strings.HasPrefix(got, sums[alg]+" ") {
			f.t.Errorf("the %s record of %s/%s is %q, want %s", alg, f.bucket, key, got, sums[alg])
		}
	}
}

// deadLetters sends messages that can never be handled, and expects them among the dead
// letters, and their results on the queue of results.
func (d *deployment) deadLetters(w *program.Process) {
	d.t.Helper()
	const garbage = `{"detail": {`
	_, err := d.sqs.SendMessage(d.t.Context(), &sqs.SendMessageInput{QueueUrl: &d.queue, MessageBody: aws.String(garbage)})
	d.must(err)
	w.Until(1, program.Contains(`msg="message dead-lettered"`))
	out, err := d.sqs.ReceiveMessage(d.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &d.failed, MaxNumberOfMessages: 10})
	d.must(err)
	if len(out.Messages) != 1 || *out.Messages[0].Body != garbage {
		d.t.Errorf("dead letters %v", out.Messages)
	}
	if u := d.HelmValues.Results.URL; u != "" {
		if n := d.left(queueURL(nameOf(u))); n < len(d.HelmValues.Buckets)*5 {
			d.t.Errorf("%d results", n)
		}
	}
}

// wantDoors checks who may send to the queues by their policies.
func (d *deployment) wantDoors() {
	d.t.Helper()
	rules := d.Documents.Names.Rules
	for label, name := range d.Documents.Names.Queues {
		send := func(rule, secure string) bool {
			return awsenv.Allowed(awsenv.Access{
				Service: "events.amazonaws.com", Action: "sqs:SendMessage", Resource: queueARN(name),
				Context: map[string]string{
					"aws:SourceArn":     "arn:aws:events:" + renderedRegion + ":" + renderedAccount + ":rule/" + rule,
					"aws:SourceAccount": renderedAccount, "aws:SecureTransport": secure,
				},
			}, d.queues[queueARN(name)])
		}
		for _, rule := range rules {
			if send(rule, "true") != (label != "dead_letters") || send(rule, "false") || send(rule+"-other", "true") {
				d.t.Errorf("the rule %s, by another way or another rule: the policy of %s is %+v", rule, name, d.queues[queueARN(name)])
			}
		}
	}
}

// wantDenied tries forbidden calls with the worker's credentials.
func (d *deployment) wantDenied(through awsenv.Server) {
	d.t.Helper()
	ctx := d.t.Context()
	objects, queues := clients(d.t, through, d.session)
	bucket, none := d.HelmValues.Buckets[0].Name, aws.String("no-such-bucket")
	object := aws.String(d.prefix(bucket) + "small")
	refused(d.t, map[string]func() error{
		"overwrite an object": func() error {
			_, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: object, Body: strings.NewReader("")})
			return err
		},
		"delete an object": func() error {
			_, err := objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: object})
			return err
		},
		"write a record of another algorithm": func() error {
			_, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(*object + ".sha512"), Body: strings.NewReader("")})
			return err
		},
		"read another bucket": func() error {
			_, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: none, Key: object})
			return err
		},
		"list another bucket": func() error {
			_, err := objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: none})
			return err
		},
		"read dead letters": func() error {
			_, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &d.failed})
			return err
		},
		"send undelivered events": func() error {
			_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(queueURL(d.Documents.Names.Queues["undelivered"])), MessageBody: aws.String("x")})
			return err
		},
	})
}

// refused expects that each call is denied.
func refused(t *testing.T, calls map[string]func() error) {
	t.Helper()
	for what, do := range calls {
		err := do()
		if f := (smithy.APIError)(nil); !errors.As(err, &f) || f.ErrorCode() != "AccessDenied" {
			t.Errorf("%s: %v, want AccessDenied", what, err)
		}
	}
}
