package app

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/keeper"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// TestFailuresStayUntilTheyAreSettled: a run removes no failure from the page whose dead letter it did not move, or
// that is newer than the run.
func TestFailuresStayUntilTheyAreSettled(t *testing.T) {
	const undecodable = "not an event:\nunexpected end"
	for name, tc := range map[string]struct {
		action redrive.Action
		match  []string
		hold   int
		refuse error // when a message is sent
		want   []string
	}{
		"sent":                         {redrive.Send, []string{"reason=" + undecodable}, 100, nil, []string{"a", "b", "c"}},
		"not sent":                     {redrive.Send, []string{"reason=" + undecodable}, 100, pipeline.Permanent(errors.New("full")), []string{"", "a", "b", "c"}},
		"no such letter is sent":       {redrive.Send, []string{"reason=" + undecodable, "bucket=other"}, 100, nil, []string{"", "a", "b", "c"}},
		"looked at":                    {redrive.Look, nil, 100, nil, []string{"", "a", "b", "c"}},
		"discarded":                    {redrive.Discard, nil, 100, nil, []string{}},
		"one discarded":                {redrive.Discard, []string{"object=inbox/b"}, 100, nil, []string{"", "a", "c"}},
		"discarded as far as is known": {redrive.Discard, []string{"object=inbox/a", "object=inbox/c"}, 1, nil, []string{"", "a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				activity := live.NewActivity()
				k := keeper.New("kept", func(*message.Message) error {
					activity.Fail(pipeline.Object{}, "newer: "+undecodable) // the worker is fast
					return tc.refuse
				})
				garbage := message.NewMessage("1", []byte("garbage"))
				garbage.Metadata.Set(pipeline.MetadataReason, "not an event: unexpected end")
				k.Add(garbage)
				activity.Fail(pipeline.Object{}, undecodable)
				for _, key := range []string{"a", "b", "c"} {
					k.Add(eventOf(key))
					activity.Fail(pipeline.Object{Bucket: "inbox", Key: key}, "denied")
				}
				time.Sleep(2 * time.Millisecond) // failures have times in whole milliseconds
				match, err := redrive.ParseMatch(tc.match)
				if err != nil {
					t.Fatal(err)
				}
				l := letters{activity: activity, run: redrive.Config{
					Drivers: queue.Drivers{k}, From: "kept://letters", To: "kept://events", Decode: events.Decode,
					Concurrency: 1, Hold: tc.hold, Wait: keeper.Wait,
				}}
				if _, err := l.Run(t.Context(), tc.action, match); err != nil {
					t.Fatal(err)
				}
				got := []string{}
				for _, f := range activity.Status().Failures {
					if f.Reason == undecodable || f.Key != "" {
						got = append(got, f.Key)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, tc.want) {
					t.Errorf("the page shows failures of %q, want %q", got, tc.want)
				}
			})
		})
	}
}
