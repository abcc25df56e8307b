package aws_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// pass runs a command over the buckets with the chart's values and expects that it ends with a status.
func (d *deployment) pass(status int, environ []string, command string, flags ...string) {
	d.t.Helper()
	v := d.HelmValues
	args := append([]string{command, "--record", v.Record, "--algorithms", strings.Join(v.Algorithms, ",")}, flags...)
	for _, b := range v.Buckets {
		args = append(args, b.URL)
	}
	p := program.Options{Environ: environ}.Start(d.t, program.Build(d.t), args...)
	p.Poll(command+" ends", func() bool {
		select {
		case <-p.Ended:
			return true
		default:
			return false
		}
	})
	if got := p.Status(); got != status {
		d.t.Errorf("the exit status of %s is %d, want %d", command, got, status)
	}
}

// backfill takes a record away. Workers write it again in a pass that is begun with their own role.
func (d *deployment) backfill(through awsenv.Server) {
	d.t.Helper()
	f := d.late(nil)
	record, bucket := f.sidecar(f.prefix+"late", "md5")
	_, err := d.s3.DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &record})
	d.must(err)
	w := d.serve(d.session.as(through)) // a slice of 1 ms is too short for the listing
	d.pass(0, d.session.as(through), "backfill", "--queue", d.HelmValues.Queue.URL, "--reports", d.HelmValues.Reports, "--pass", "gap")
	if status := w.Stop(syscall.SIGTERM); status != 0 {
		d.t.Errorf("exit status is %d", status)
	}
	f.wantRecord("late", []byte("late\n"))
	if _, ok := d.get(hostOf(d.HelmValues.Reports), ".bucketsum/passes/summaries/gap.json"); !ok {
		d.t.Error("the pass has no summary")
	}
}

// audit verifies all objects with the role of audits, which must use every permission, and must not need any other.
func (d *deployment) audit(moto, versitygw awsenv.Server) {
	d.t.Helper()
	policy, who := d.assume("audit", d.Documents.AuditPolicy)
	gate := d.gate(who.AccessKeyID, policy)
	through := gate.Open(d.t, moto)
	flags := []string{"--older-than", "1s", "--reports", d.HelmValues.Audit.Reports, "--results", d.HelmValues.Results.URL}
	d.pass(0, who.as(through), "verify", flags...)
	// sumParts says why multipart objects are there. The content of one changes below the store.
	d.must(os.WriteFile(filepath.Join(versitygw.Dir, d.HelmValues.Buckets[0].Name, "parts"), make([]byte, 11<<20), 0o666))
	multipart := d.gate(awsenv.AccessKey, policy)
	d.pass(1, append(administrator.as(multipart.Open(d.t, d.server)), "AWS_ENDPOINT_URL_S3="+multipart.Open(d.t, versitygw).URL), "verify", flags...)

	used := append(gate.Used(), multipart.Used()...)
	slices.Sort(used)
	if diff := cmp.Diff(policy.Grants(), slices.Compact(used)); diff != "" {
		d.t.Errorf("what the policy allows and what audits do (-allowed +done):\n%s", diff)
	}
	if denied := notProbes(append(gate.Denied(), multipart.Denied()...)); len(denied) > 0 {
		d.t.Errorf("the audits were denied %v", denied)
	}

	ctx, bucket := d.t.Context(), d.HelmValues.Buckets[0].Name
	objects, queues := clients(d.t, through, who)
	calls := d.besideReports(through, who)
	for what, key := range map[string]string{"overwrite an object": "late", "write a checkpoint": ".bucketsum/checkpoints/x", "write a record of another algorithm": "late.sha512"} {
		calls[what] = func() error { return putEmpty(d.t, objects, bucket, key) }
	}
	for what, key := range map[string]string{"delete an object": "late", "delete a record": "late.md5"} {
		calls[what] = func() error {
			_, err := objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
			return err
		}
	}
	calls["send work"] = func() error {
		_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.queue, MessageBody: aws.String("x")})
		return err
	}
	calls["take work"] = func() error {
		_, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &d.queue})
		return err
	}
	refused(d.t, calls)
}

// besideReports are calls to the bucket of reports that no role may make.
func (d *deployment) besideReports(through awsenv.Server, who session) map[string]func() error {
	d.t.Helper()
	objects, _ := clients(d.t, through, who)
	bucket := hostOf(d.HelmValues.Reports)
	return map[string]func() error{
		"write beside the reports": func() error { return putEmpty(d.t, objects, bucket, "x") },
		"read beside the reports": func() error {
			_, err := objects.GetObject(d.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("x")})
			return err
		},
		"delete a summary": func() error {
			_, err := objects.DeleteObject(d.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(".bucketsum/passes/summaries/gap.json")})
			return err
		},
	}
}

func putEmpty(t *testing.T, objects *s3.Client, bucket, key string) error {
	t.Helper()
	_, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("")})
	return err
}
