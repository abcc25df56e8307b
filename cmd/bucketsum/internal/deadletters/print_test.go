package deadletters_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/deadletters"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

func report() deadletters.Report {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	return deadletters.Report{
		Report: redrive.Report{Summary: redrive.Summary{
			End:   redrive.Empty,
			Total: redrive.Tally{Found: 4, Matched: 3, Sent: 2, Failed: 1},
			Groups: []redrive.Group{
				{
					Reason: "look at photos/…: AccessDenied", Tally: redrive.Tally{Found: 3, Matched: 3, Sent: 2, Failed: 1},
					Oldest: now.Add(-72 * time.Hour), Newest: now.Add(-90 * time.Second),
					Samples: []redrive.Sample{{Bucket: "photos", Key: "a.jpg"}, {Bucket: "photos", Key: "\x1b[2J"}}, Fault: "too long",
				},
				{Reason: "event: not JSON", Tally: redrive.Tally{Found: 1}, Samples: []redrive.Sample{{MessageID: "m-1"}}},
			},
			After: &queue.Count{Waiting: 2, Held: 5},
		},
			From: "amqp://user:secret@rabbit/?queue=failed", To: "amqp://rabbit/?queue=objects", Action: redrive.Send}, Filtered: true, Now: now,
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := report().Text(&b); err != nil {
		t.Fatal(err)
	}
	want := `    found    match     sent   failed     left             age  reason
        3        3        2        1        1        1m to 3d  look at photos/…: AccessDenied
                                                                 photos/a.jpg
                                                                 "photos/\x1b[2J"
                                                                 failed: too long
        1        0        0        0        1         unknown  event: not JSON
                                                                 message m-1, which names no object
        4        3        2        1        2                  in all
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSentence(t *testing.T) {
	got := report().Sentence()
	want := "4 dead letters: 2 sent, 2 left; the queue counts this delivery of what was given back, if it counts deliveries; 1 failed; the queue says that it still has about 7"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
