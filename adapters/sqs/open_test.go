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
			queues := b.queues(sqs.Config{})
			for range 2 {
				if err := queues.Open(t.Context(), ours); err != nil {
					t.Fatal(err)
				}
			}
			log := b.log.String()
			if n := strings.Count(log, "level=WARN"); c.want == "" && n > 0 || c.want != "" && (n != 1 || !strings.Contains(log, c.want)) {
				t.Errorf("want one warning of %q, log is:\n%s", c.want, log)
			}
			queues.Close()
		})
	}
}

func TestOpenFails(t *testing.T) {
	const host = "://sqs.us-east-1.amazonaws.com/123456789012/"
	noRegion := func(context.Context, url.Values) (aws.Config, error) { return aws.Config{}, nil }
	broken := func(context.Context, url.Values) (aws.Config, error) { return aws.Config{}, errors.New("no profile x") }
	for name, c := range map[string]struct {
		url    string
		fault  sqstest.Fault
		config sqs.Config
		want   string
	}{
		"missing":     {url: "awssqs" + host + "none", want: "does not exist in region us-east-1: create it"},
		"denied":      {url: "awssqs" + host + "q", fault: sqstest.Fault{Code: "AccessDeniedException", Status: 400}, want: "sqs:ChangeMessageVisibility"},
		"wrong key":   {url: "sqs" + host + "q", fault: sqstest.Fault{Code: "InvalidClientTokenId", Status: 403}, want: "no access to queue"},
		"outage":      {url: "sqs" + host + "q", fault: sqstest.Fault{}, want: "are region, credentials and endpoint right?"},
		"no region":   {url: "awssqs://localhost/1/q", config: sqs.Config{LoadConfig: noRegion}, want: "set AWS_REGION"},
		"no profile":  {url: "awssqs" + host + "q", config: sqs.Config{LoadConfig: broken}, want: "no profile x"},
		"scheme":      {url: "https" + host + "q", want: "neither awssqs nor sqs"},
		"no queue":    {url: "sqs://sqs.us-east-1.amazonaws.com/", want: "HOST/ACCOUNT/NAME"},
		"no URL":      {url: "://", want: "queue URL"},
		"visibility":  {url: "sqs" + host + "q?visibility=13h", want: "visibility=13h is not a duration of whole seconds from 1s to 12h"},
		"fraction":    {url: "sqs" + host + "q?visibility=1500ms", want: "whole seconds"},
		"waittime":    {url: "sqs" + host + "q?waittime=21s", want: "waittime=21s"},
		"raw":         {url: "awssqs" + host + "q?raw=maybe", want: "raw=maybe"},
		"no such one": {url: "awssqs" + host + "q?colour=red", config: sqs.Config{LoadConfig: gcaws.V2ConfigFromURLParams}, want: "colour"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				b.create("sqs", "q", nil)
				queues := b.queues(c.config)
				if c.fault.Code != "" || name == "outage" {
					b.server.Inject(c.fault)
				}
				err := queues.Open(context.Background(), c.url)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v, want one with %q", err, c.want)
				}
				if _, err := queues.OpenSubscription(context.Background(), c.url); err == nil {
					t.Error("a subscription can be opened")
				}
				if _, err := sqs.NewSubscriber(queues).Subscribe(context.Background(), c.url); err == nil {
					t.Error("can be subscribed to")
				}
				if err := sqs.NewSubscriber(queues).SubscribeInitialize(c.url); err == nil {
					t.Error("can be subscribed to")
				}
				queues.Close()
			})
		})
	}
}

func TestSubscriptionIsForOneScheme(t *testing.T) {
	b := newBench(t)
	queues := b.queues(sqs.Config{})
	_, err := queues.OpenSubscription(t.Context(), b.create(sqs.SchemeOrdered, "q.fifo", nil))
	if err == nil || !strings.Contains(err.Error(), "only awssqs://") {
		t.Errorf("error is %v", err)
	}
	queues.Close()
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
		queues := b.queues(sqs.Config{LoadConfig: func(_ context.Context, q url.Values) (aws.Config, error) {
			got = q.Encode()
			return configOf(b.server), nil
		}})
		if err := queues.Open(t.Context(), raw); err != nil || got != want {
			t.Errorf("%s: parameters %q, error %v; want %q", raw, got, err, want)
		}
		queues.Close()
	}
}

func TestConfigIsValidated(t *testing.T) {
	_, err := sqs.New(sqs.Config{Concurrency: -1, CloseTimeout: -time.Second})
	if err == nil || !strings.Contains(err.Error(), "concurrency") || !strings.Contains(err.Error(), "close timeout") {
		t.Errorf("error is %v, want one with both faults", err)
	}
}

func TestBackoff(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: 2 * time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 9: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := sqs.Backoff(attempt); got < want-want/8 || got > want+want/8 {
			t.Errorf("attempt %d: %s, want about %s", attempt, got, want)
		}
	}
}
