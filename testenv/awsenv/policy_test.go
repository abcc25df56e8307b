package awsenv_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

const workerPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Objects", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::photos/*"},
    {"Sid": "Records", "Effect": "Allow", "Action": "s3:Put*", "Resource": ["arn:aws:s3:::photos/*.md?"]},
    {"Sid": "Secrets", "Effect": "Deny", "Action": "S3:*", "Resource": "arn:aws:s3:::photos/secret/*"},
    {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-central-1:123456789012:key/1",
     "Condition": {"StringEquals": {"kms:ViaService": ["s3.eu-central-1.amazonaws.com", "x"]}, "StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::photos/*"}}}
  ]
}`

const queuePolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Rule", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "q",
     "Condition": {"ArnEquals": {"aws:SourceArn": "rule/photos"}}},
    {"Sid": "TLS", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "q", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
  ]
}`

func parse(t *testing.T, document string) awsenv.Policy {
	t.Helper()
	p, err := awsenv.ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAllowed(t *testing.T) {
	worker, queue := parse(t, workerPolicy), parse(t, queuePolicy)
	viaS3 := map[string]string{"kms:ViaService": "s3.eu-central-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::photos/a"}
	for name, tc := range map[string]struct {
		access awsenv.Access
		want   bool
	}{
		"read":             {awsenv.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::photos/a/b.jpg"}, true},
		"other bucket":     {awsenv.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::photos2/a"}, false},
		"other action":     {awsenv.Access{Action: "s3:GetObjectTagging", Resource: "arn:aws:s3:::photos/a"}, false},
		"record":           {awsenv.Access{Action: "s3:PutObject", Resource: "arn:aws:s3:::photos/a.md5"}, true},
		"almost a record":  {awsenv.Access{Action: "s3:PutObject", Resource: "arn:aws:s3:::photos/a.md55"}, false},
		"denied":           {awsenv.Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::photos/secret/a"}, false},
		"key through S3":   {awsenv.Access{Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-central-1:123456789012:key/1", Context: viaS3}, true},
		"key directly":     {awsenv.Access{Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-central-1:123456789012:key/1"}, false},
		"rule":             {awsenv.Access{Service: "events.amazonaws.com", Action: "sqs:SendMessage", Resource: "q", Context: map[string]string{"aws:SourceArn": "rule/photos"}}, true},
		"rule without TLS": {awsenv.Access{Service: "events.amazonaws.com", Action: "sqs:SendMessage", Resource: "q", Context: map[string]string{"aws:SourceArn": "rule/photos", "aws:SecureTransport": "false"}}, false},
		"other rule":       {awsenv.Access{Service: "events.amazonaws.com", Action: "sqs:SendMessage", Resource: "q", Context: map[string]string{"aws:SourceArn": "rule/photos2"}}, false},
		"other service":    {awsenv.Access{Service: "sns.amazonaws.com", Action: "sqs:SendMessage", Resource: "q", Context: map[string]string{"aws:SourceArn": "rule/photos"}}, false},
		"no service":       {awsenv.Access{Action: "sqs:SendMessage", Resource: "q", Context: map[string]string{"aws:SourceArn": "rule/photos"}}, false},
		"in no policy":     {awsenv.Access{Action: "sqs:ReceiveMessage", Resource: "q"}, false},
	} {
		if got := awsenv.Allowed(tc.access, worker, queue); got != tc.want {
			t.Errorf("%s: Allowed(%v) is %v, want %v", name, tc.access, got, tc.want)
		}
	}
	less := worker.Without("s3:GetObject", "s3:Put*")
	if diff := cmp.Diff([]string{"Key kms:Decrypt", "Objects s3:GetObjectVersion", "Secrets S3:*"}, less.Grants()); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}

// ParsePolicy refuses what Matching would ignore.
func TestParsePolicy(t *testing.T) {
	for _, change := range [][2]string{
		{`"Action": "s3:Put*"`, `"NotAction": "s3:Put*"`},
		{`"Effect": "Deny"`, `"Effect": "deny"`},
		{`"StringLike"`, `"StringNotLike"`},
		{`"2012-10-17"`, `"2008-10-17"`},
		{`"Sid": "Key", `, `"Principal": {"AWS": "*"}, `},
		{`"Sid": "Key", `, `"Principal": "nobody", `},
	} {
		document := strings.Replace(workerPolicy, change[0], change[1], 1)
		if p, err := awsenv.ParsePolicy([]byte(document)); err == nil {
			t.Errorf("%s: got %+v, want an error", change[1], p)
		}
	}
	if _, err := awsenv.ParsePolicy([]byte(workerPolicy + "{}")); err == nil {
		t.Error("two documents: got no error")
	}
}
