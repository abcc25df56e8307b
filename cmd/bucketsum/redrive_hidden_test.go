package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsclient "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestRedriveAfterLook: what --dry-run has shown and given back is there at once for the next command. moto delivers to a
// poll that is still open.
func TestRedriveAfterLook(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a server")
	}
	t.Parallel()
	endpoint := awsenv.StartMoto(t).URL
	client := sqsclient.New(sqsclient.Options{
		Region: awsenv.Region, BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
	})
	var urls [2]string
	for i, name := range []string{"failed", "objects"} {
		if _, err := client.CreateQueue(t.Context(), &sqsclient.CreateQueueInput{QueueName: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
		urls[i] = "awssqs" + strings.TrimPrefix(sqstest.QueueURL(name), "https") + "?endpoint=" + endpoint
	}
	from, to := urls[0], urls[1]
	letters := fourKinds()[:4]
	for name, args := range map[string][]string{"send": {"--to", to}, "discard": {"--discard", "--yes"}} {
		sendTo(t, from, letters...)
		all := []string{"--wait", "2s", "--from", from, "--match", "bucket=photos", "--match", "bucket=secrets"} // not by SQS itself
		if r := redriven(t, exitOK, append(all, "--dry-run")...); r.Found != len(letters) {
			t.Fatalf("%s: what lies there: %+v", name, r)
		}
		if r := redriven(t, exitOK, append(all, args...)...); r.Sent+r.Discarded != len(letters) || r.Left != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRedriveOfHiddenLetters: a redrive that gets none of the messages that another receiver holds has not done what it was asked for.
func TestRedriveOfHiddenLetters(t *testing.T) {
	t.Parallel()
	server := sqstest.NewServer()
	from, to := sqsQueues(t, server)
	from += "&visibility=10m"
	sendTo(t, from, fourKinds()[0])
	d, err := queueDrivers(nil).Of(from)
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.OpenQueue(t.Context(), from, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	got, err := other.Receive(t.Context(), 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for _, args := range [][]string{{"--dry-run"}, {"--to", to, "--match", "bucket=photos"}, {"--discard", "--yes"}} {
		if r := redriven(t, exitFailed, append([]string{"--wait", "1s", "--from", from}, args...)...); r.Found != 0 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if err := got[0].Lease.Ack(t.Context()); err != nil {
		t.Error(err)
	}
}
