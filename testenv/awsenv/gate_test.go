package awsenv_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// everything allows all that the calls of TestGate need.
const everything = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "S3", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes",
      "s3:GetObjectVersionAttributes", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObject", "s3:PutObjectTagging",
      "s3:PutObjectVersionTagging", "s3:DeleteObject"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]},
    {"Sid": "SQS", "Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
      "sqs:GetQueueAttributes"], "Resource": "arn:aws:sqs:eu-central-1:1:q"},
    {"Sid": "KMS", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "k"}
  ]
}`

func TestGate(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("X-Amz-Target"), "SQS") {
			_, _ = io.Copy(w, r.Body) // any JSON object will do
		}
	}))
	defer backend.Close()
	gate := &awsenv.Gate{AccessKey: "worker", Region: "eu-central-1", Identity: parse(t, everything), Keys: map[string]awsenv.Key{
		"arn:aws:sqs:eu-central-1:1:q": {ARN: "k"}, "arn:aws:s3:::b": {ARN: "k", BucketKey: true},
	}}
	server := gate.Open(t, awsenv.Server{URL: backend.URL})
	ctx, as := t.Context(), "worker"
	objects, queues := sdk(t, server, &as)

	bucket, key, v, queue := aws.String("b"), aws.String("a/../b"), aws.String("v"), aws.String("https://sqs.eu-central-1.amazonaws.com/1/q")
	put := func(in s3.PutObjectInput) error {
		in.Bucket, in.Key, in.Body = bucket, key, strings.NewReader("x")
		_, err := objects.PutObject(ctx, &in)
		return err
	}
	calls := map[string]struct {
		do    func() error
		needs []string
	}{
		"list": {func() error { _, err := objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket}); return err }, []string{"s3:ListBucket"}},
		"list versions": {func() error {
			_, err := objects.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: key})
			return err
		}, []string{"s3:ListBucketVersions"}},
		"head bucket": {func() error { _, err := objects.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}); return err }, []string{"s3:ListBucket"}},
		"get": {func() error {
			_, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
			return err
		}, []string{"s3:GetObject", "kms:Decrypt"}},
		"get version": {func() error {
			_, err := objects.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: v})
			return err
		}, []string{"s3:GetObjectVersion", "kms:Decrypt"}},
		"head": {func() error {
			_, err := objects.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
			return err
		}, []string{"s3:GetObject"}},
		"attributes": {func() error {
			_, err := objects.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: bucket, Key: key, ObjectAttributes: []s3types.ObjectAttributes{"ETag"}})
			return err
		}, []string{"s3:GetObject", "s3:GetObjectAttributes"}},
		"attributes of a version": {func() error {
			_, err := objects.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: bucket, Key: key, VersionId: v, ObjectAttributes: []s3types.ObjectAttributes{"ETag"}})
			return err
		}, []string{"s3:GetObjectVersion", "s3:GetObjectVersionAttributes"}},
		"put":               {func() error { return put(s3.PutObjectInput{}) }, []string{"s3:PutObject", "kms:GenerateDataKey"}},
		"put with tags":     {func() error { return put(s3.PutObjectInput{Tagging: aws.String("a=b")}) }, []string{"s3:PutObject", "s3:PutObjectTagging", "kms:GenerateDataKey"}},
		"put with If-Match": {func() error { return put(s3.PutObjectInput{IfMatch: aws.String("x")}) }, []string{"s3:PutObject", "s3:GetObject", "kms:GenerateDataKey"}},
		"delete with If-Match": {func() error {
			_, err := objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, IfMatch: aws.String("x")})
			return err
		}, []string{"s3:DeleteObject", "s3:GetObject"}},
		"read tags": {func() error {
			_, err := objects.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key, VersionId: v})
			return err
		}, []string{"s3:GetObjectVersionTagging"}},
		"read tags of the current version": {func() error {
			_, err := objects.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
			return err
		}, []string{"s3:GetObjectTagging"}},
		"tag a version": {func() error {
			_, err := objects.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, VersionId: v, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{}}})
			return err
		}, []string{"s3:PutObjectVersionTagging"}},
		"tag": {func() error {
			_, err := objects.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{}}})
			return err
		}, []string{"s3:PutObjectTagging"}},
		"receive": {func() error {
			_, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue})
			return err
		}, []string{"sqs:ReceiveMessage", "kms:Decrypt"}},
		"send": {func() error {
			_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("x")})
			return err
		}, []string{"sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"}},
		"delete messages": {func() error {
			_, err := queues.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: queue, Entries: []sqstypes.DeleteMessageBatchRequestEntry{{Id: v, ReceiptHandle: v}}})
			return err
		}, []string{"sqs:DeleteMessage"}},
		"change visibility": {func() error {
			_, err := queues.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: queue, Entries: []sqstypes.ChangeMessageVisibilityBatchRequestEntry{{Id: v, ReceiptHandle: v}}})
			return err
		}, []string{"sqs:ChangeMessageVisibility"}},
		"queue": {func() error {
			_, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue})
			return err
		}, []string{"sqs:GetQueueAttributes"}},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			if err := call.do(); errors.As(err, new(smithy.APIError)) {
				t.Fatal(err)
			}
			// It fails without each of these actions.
			for _, action := range call.needs {
				gate.Identity = parse(t, everything).Without(action)
				var fault smithy.APIError
				if err := call.do(); !errors.As(err, &fault) || fault.ErrorCode() != "AccessDenied" && fault.ErrorCode() != "Forbidden" {
					t.Errorf("without %s: %v", action, err)
				}
			}
			gate.Identity = parse(t, everything)
			// It needs no other action.
			for _, other := range gate.Identity.Grants() {
				_, action, _ := strings.Cut(other, " ")
				if slices.Contains(call.needs, action) {
					continue
				}
				gate.Identity = parse(t, everything).Without(action)
				if err := call.do(); errors.As(err, new(smithy.APIError)) {
					t.Errorf("without %s: %v", action, err)
				}
			}
			gate.Identity = parse(t, everything)
		})
	}
	if n := gate.Counts()["sqs:DeleteMessageBatch"]; n == 0 {
		t.Error("calls are not counted")
	}
	if diff := cmp.Diff(gate.Identity.Grants(), gate.Used()); diff != "" {
		t.Errorf("used (-granted +used):\n%s", diff)
	}
	as = "other"
	if err := calls["list"].do(); err == nil {
		t.Error("another access key is accepted")
	}
}

// sdk returns clients of a server. as is their access key, which the test may change.
func sdk(t *testing.T, server awsenv.Server, as *string) (*s3.Client, *sqs.Client) {
	t.Helper()
	authority, err := os.ReadFile(server.Authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: *as, SecretAccessKey: "secret"}, nil
	})
	return s3.New(s3.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials, HTTPClient: client, Retryer: aws.NopRetryer{}}),
		sqs.New(sqs.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials, HTTPClient: client, Retryer: aws.NopRetryer{}, DisableMessageChecksumValidation: true})
}
