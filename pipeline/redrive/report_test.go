package redrive_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// TestReportJSON: fields are as scripts know them, and secrets are not in it.
func TestReportJSON(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	r := redrive.Report{
		Summary: redrive.Summary{
			End: redrive.Empty, Total: redrive.Tally{Found: 4, Matched: 3, Sent: 2, Failed: 1},
			Groups: []redrive.Group{{Reason: "denied", Oldest: now.Add(-72 * time.Hour)}}, After: &queue.Count{Waiting: 2, Held: 5},
		},
		From: "amqp://user:secret@rabbit/?queue=failed", To: "amqp://rabbit/?queue=objects", Action: redrive.Send,
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for _, want := range []string{`"action":"send","end":"empty","found":4,`, `"left":2,"queue_counts":{"waiting":2,"held":5,"exact":false}`, `"oldest":"2026-11-27T12:00:00Z"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("a secret in %s", got)
	}
}
