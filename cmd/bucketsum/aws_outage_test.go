package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/sqs"
)

// While a store or a permission is missing each delivery fails at once. The
// deliveries that Terraform allows by default outlast the outage of a working day:
// docs/aws.md and deploy/RUNBOOK.md promise 7 hours.
func TestOutageIsOutlasted(t *testing.T) {
	var policy struct {
		MaxReceiveCount int `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal(readRendered(t, "defaults").Documents.RedrivePolicy, &policy); err != nil {
		t.Fatal(err)
	}
	var lasts time.Duration
	for delivery := 1; delivery < policy.MaxReceiveCount; delivery++ {
		lasts += sqs.Backoff(delivery)
	}
	if lasts < 7*time.Hour {
		t.Errorf("%d deliveries are used up after %s", policy.MaxReceiveCount, lasts)
	}
}
