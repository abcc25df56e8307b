package sqs_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	gcaws "gocloud.dev/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestWorkThatOutlivesTheVisibilityOnMoto is the same test on moto, an independent
// server, with the SDK's default chain of credentials.
func TestWorkThatOutlivesTheVisibilityOnMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	endpoint := awsenv.StartMoto(t).URL
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-north-1", "AWS_ENDPOINT_URL": endpoint,
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	b := newBench(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections) // the tests are parallel
	defaultChain := func(ctx context.Context, parameters url.Values) (aws.Config, error) {
		c, err := gcaws.V2ConfigFromURLParams(ctx, parameters)
		c.HTTPClient = &http.Client{Transport: transport}
		return c, err
	}
	b.load = defaultChain
	config := configOf(transport)
	config.BaseEndpoint = &endpoint
	b.client = sdk.NewFromConfig(config)
	for scheme, name := range map[string]string{sqs.SchemeParallel: "objects", sqs.SchemeOrdered: "objects.fifo"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.t = t
			const visibility, work = 3, 4 * time.Second
			attributes := map[string]string{"VisibilityTimeout": fmt.Sprint(visibility)}
			if strings.HasSuffix(name, ".fifo") {
				attributes["FifoQueue"] = "true"
			}
			b.createQueue(name, attributes)
			// The region in the host wins over AWS_REGION.
			url := scheme + "://sqs.us-east-1.amazonaws.com/123456789012/" + name + "?waittime=1s"
			b.send(url, "a")
			first := b.worker(url, queue.Config{})
			second := b.worker(url, queue.Config{})
			done := make(chan struct{}, 100)
			var working sync.WaitGroup
			for _, w := range []*worker{first, second} {
				working.Go(func() {
					for m := range w.messages {
						select {
						case <-time.After(work):
							done <- struct{}{}
							m.Ack()
						case <-m.Context().Done(): // a busy machine extended it too late
							if pipeline.Attempt(m) > 10 {
								t.Errorf("the lease is lost each time: %v", context.Cause(m.Context()))
								done <- struct{}{}
							}
							m.Nack()
						}
					}
				})
			}
			<-done
			for b.counts(url) != "0 visible, 0 in flight" && !t.Failed() {
				<-time.After(200 * time.Millisecond)
			}
			first.close()
			second.close()
			working.Wait()
			if n := len(done); n != 0 {
				t.Errorf("done %d times more", n)
			}
		})
	}
}
