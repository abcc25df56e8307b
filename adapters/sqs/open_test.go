package sqs_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	gcaws "gocloud.dev/aws"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestOpenWarns(t *testing.T) {
	good := map[string]string{}
	for name, c := range map[string]struct {
		scheme, queue, query string
		attributes           map[string]string
		want                 string // "": no warning
	}{
		"as it should be":   {sqs.SchemeParallel, "q", "", good, ""},
		"fifo in order":     {sqs.SchemeOrdered, "q.fifo", "", good, ""},
		"short retention":   {sqs.SchemeParallel, "q", "", map[string]string{"MessageRetentionPeriod": "3600"}, "retention=1h0m0s"},
		"no redrive policy": {sqs.SchemeParallel, "q", "", map[string]string{"RedrivePolicy": ""}, "no redrive policy"},
		"one receive": {sqs.SchemeParallel, "q", "", map[string]string{
			"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:q-dead","maxReceiveCount":"1"}`}, "maxReceiveCount 1"},
		"short":            {sqs.SchemeParallel, "q", "", map[string]string{"VisibilityTimeout": "5"}, "too short"},
		"none":             {sqs.SchemeParallel, "q", "", map[string]string{"VisibilityTimeout": "0"}, "too short"},
		"short, overruled": {sqs.SchemeParallel, "q", "?visibility=2m", map[string]string{"VisibilityTimeout": "5"}, ""},
		"short in the URL": {sqs.SchemeParallel, "q", "?visibility=5s", good, "too short"},
		"fifo in parallel": {sqs.SchemeParallel, "q.fifo", "", good, "out of order"},
		"order of nothing": {sqs.SchemeOrdered, "q", "", good, "FIFO queues only"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			ours := b.create(c.scheme, c.queue, c.attributes) + c.query
			driver := b.driver()
			for range 2 {
				if err := driver.Reachable(t.Context(), ours); err != nil {
					t.Fatal(err)
				}
			}
			log := b.log.String()
			if n := strings.Count(log, "level=WARN"); c.want == "" && n > 0 || c.want != "" && (n != 1 || !strings.Contains(log, c.want)) {
				t.Errorf("want one warning of %q, log is:\n%s", c.want, log)
			}
		})
	}
}

// TestDeliveryLimit: the limit of deliveries is that of the redrive policy.
func TestDeliveryLimit(t *testing.T) {
	for policy, want := range map[string]int{
		"": 0,
		`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:q-dead","maxReceiveCount":"7"}`: 7,
	} {
		for name, scheme := range map[string]string{"q": sqs.SchemeParallel, "q.fifo": sqs.SchemeOrdered} {
			b := newBench(t)
			subscriber, err := queue.NewSubscriber(b.driver(), queue.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer subscriber.Close()
			url := b.create(scheme, name, map[string]string{"RedrivePolicy": strings.ReplaceAll(policy, "q-dead", strings.Replace(name, "q", "q-dead", 1))})
			if err := subscriber.SubscribeInitialize(url); err != nil {
				t.Fatal(err)
			}
			if got, known := subscriber.DeliveryLimit(url); got != want || !known {
				t.Errorf("%s with the policy %q: the limit is %d (known: %v), want %d", name, policy, got, known, want)
			}
		}
	}
}

func TestOpenFails(t *testing.T) {
	const host = "://sqs.us-east-1.amazonaws.com/123456789012/"
	noRegion := func(context.Context, url.Values) (aws.Config, error) { return aws.Config{}, nil }
	broken := func(context.Context, url.Values) (aws.Config, error) { return aws.Config{}, errors.New("no profile x") }
	for name, c := range map[string]struct {
		url   string
		fault sqstest.Fault
		load  func(context.Context, url.Values) (aws.Config, error)
		want  string
	}{
		"missing":     {url: "awssqs" + host + "none", want: "does not exist in region us-east-1: create it"},
		"denied":      {url: "awssqs" + host + "q", fault: sqstest.Fault{Code: "AccessDeniedException", Status: 400}, want: "sqs:ChangeMessageVisibility"},
		"wrong key":   {url: "sqs" + host + "q", fault: sqstest.Fault{Code: "InvalidClientTokenId", Status: 403}, want: "no access to queue"},
		"outage":      {url: "sqs" + host + "q", fault: sqstest.Fault{}, want: "are region, credentials and endpoint right?"},
		"no region":   {url: "awssqs://localhost/1/q", load: noRegion, want: "set AWS_REGION"},
		"no profile":  {url: "awssqs" + host + "q", load: broken, want: "no profile x"},
		"scheme":      {url: "https" + host + "q", want: "neither awssqs nor sqs"},
		"no queue":    {url: "sqs://sqs.us-east-1.amazonaws.com/", want: "HOST/ACCOUNT/NAME"},
		"no URL":      {url: "://", want: "not a URL"},
		"visibility":  {url: "sqs" + host + "q?visibility=13h", want: `parameter visibility is "13h", not a duration of whole seconds from 1s to 12h`},
		"fraction":    {url: "sqs" + host + "q?visibility=1500ms", want: "whole seconds"},
		"waittime":    {url: "sqs" + host + "q?waittime=21s", want: `waittime is "21s"`},
		"raw":         {url: "awssqs" + host + "q?raw=maybe", want: `raw is "maybe"`},
		"no such one": {url: "awssqs" + host + "q?colour=red", load: gcaws.V2ConfigFromURLParams, want: "colour"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				b.create("sqs", "q", nil)
				if c.load != nil {
					b.load = c.load
				}
				driver := b.driver()
				subscriber, err := queue.NewSubscriber(driver, queue.Config{})
				if err != nil {
					t.Fatal(err)
				}
				if c.fault.Code != "" || name == "outage" {
					b.server.Inject(c.fault)
				}
				_, subscribeErr := subscriber.Subscribe(context.Background(), c.url)
				for what, err := range map[string]error{
					"Reachable":           driver.Reachable(context.Background(), c.url),
					"Subscribe":           subscribeErr,
					"SubscribeInitialize": subscriber.SubscribeInitialize(c.url),
				} {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("%s: error is %v, want one with %q", what, err, c.want)
					}
				}
			})
		})
	}
}

func TestParametersReachTheSDK(t *testing.T) {
	b := newBench(t)
	b.create("sqs", "q", nil)
	for raw, want := range map[string]string{
		"awssqs://sqs.eu-central-1.amazonaws.com/123456789012/q?profile=x&visibility=1m&waittime=5s&raw=true&nacklazy=true": "profile=x&region=eu-central-1",
		"awssqs://eu-west-1.queue.amazonaws.com/123456789012/q":                                                             "region=eu-west-1",
		"awssqs://sqs.cn-north-1.amazonaws.com.cn/123456789012/q?region=us-west-2":                                          "region=us-west-2",
		"awssqs://localhost:4566/123456789012/q":                                                                            "",
	} {
		var got string
		b.load = func(_ context.Context, q url.Values) (aws.Config, error) {
			got = q.Encode()
			return configOf(b.server), nil
		}
		if err := b.driver().Reachable(t.Context(), raw); err != nil || got != want {
			t.Errorf("%s: parameters %q, error %v; want %q", raw, got, err, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: 2 * time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 9: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := sqs.Backoff(attempt); got < want-want/8 || got > want+want/8 {
			t.Errorf("attempt %d: %s, want about %s", attempt, got, want)
		}
	}
}

// TestOpenWrongServer: a worker does not wait for the address of a server that is none.
func TestOpenWrongServer(t *testing.T) {
	for name, c := range map[string]struct{ query, variable string }{
		"in the URL":         {"?region=us-east-1&endpoint=h:1", ""},
		"in the environment": {"?region=us-east-1", "AWS_ENDPOINT_URL"},
		"of credentials":     {"?region=us-east-1", "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv(c.variable, "h:1")
			}
			_, err := new(sqs.Driver).OpenQueue(t.Context(), "awssqs://sqs.us-east-1.amazonaws.com/123456789012/q"+c.query, 1)
			if pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("got %v, want a permanent error", err)
			}
		})
	}
}
