package sqstest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

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
