package aws_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/sqs"
)

// TestOutageIsOutlasted checks the deliveries that Terraform allows by default. During an
// outage of the store, or without a permission, each delivery fails at once. docs/aws.md
// and deploy/RUNBOOK.md promise that messages survive 7 hours of that.
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
