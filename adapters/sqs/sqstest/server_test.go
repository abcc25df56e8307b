package sqstest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
})

func newClient(transport http.RoundTripper) *sqs.Client {
	return sqs.New(sqs.Options{Region: "us-east-1", Credentials: credentials, HTTPClient: &http.Client{Transport: transport}})
}

// TestFake runs the suite on the server of this package, in the time of a bubble.
func TestFake(t *testing.T) {
	sqstest.TestServer(t, func(t *testing.T, test func(*testing.T, *sqs.Client)) {
		synctest.Test(t, func(t *testing.T) { test(t, newClient(sqstest.NewServer())) })
	})
}

// TestHandler runs the suite on the same server over HTTP.
func TestHandler(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	web := httptest.NewServer(sqstest.NewServer())
	t.Cleanup(web.Close)
	t.Run("suite", func(t *testing.T) { runOn(t, web.URL) })
}

// TestMoto runs the suite on moto, an independent server.
func TestMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	url := awsenv.StartMoto(t).URL
	t.Run("suite", func(t *testing.T) { runOn(t, url) })
}

func runOn(t *testing.T, endpoint string) {
	sqstest.TestServer(t, func(t *testing.T, test func(*testing.T, *sqs.Client)) {
		t.Parallel()
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		test(t, sqs.New(sqs.Options{
			Region: "us-east-1", Credentials: credentials, BaseEndpoint: &endpoint,
			HTTPClient: &http.Client{Transport: transport},
		}))
	})
}

// TestRedeliver expects that a message in flight is delivered again, and that the receipt of
// the first delivery then deletes nothing.
func TestRedeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sqstest.NewServer()
		client := newClient(server)
		url := aws.String(sqstest.QueueURL("q"))
		if _, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("m")}); err != nil {
			t.Fatal(err)
		}
		var receipts []*string
		receive := func() int {
			t.Helper()
			out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range out.Messages {
				receipts = append(receipts, m.ReceiptHandle)
			}
			return len(out.Messages)
		}
		remove := func(receipt *string) {
			t.Helper()
			if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: receipt}); err != nil {
				t.Fatal(err)
			}
		}
		if n := receive(); n != 1 {
			t.Fatalf("%d messages, want 1", n)
		}
		if n := server.Redeliver("q", time.Minute, 10); n != 0 {
			t.Errorf("%d messages are hidden for more than a minute, want 0", n)
		}
		if n := server.Redeliver("q", 0, 10); n != 1 {
			t.Errorf("%d messages are delivered again, want 1", n)
		}
		if n := receive(); n != 1 {
			t.Fatalf("%d messages the second time, want 1", n)
		}
		remove(receipts[0])
		server.Redeliver("q", 0, 10)
		if n := receive(); n != 1 {
			t.Fatalf("%d messages after a delete with the first receipt, want 1", n)
		}
		remove(receipts[2])
		server.Redeliver("q", 0, 10)
		if n := receive(); n != 0 {
			t.Errorf("%d messages after a delete with the last receipt, want 0", n)
		}
	})
}
