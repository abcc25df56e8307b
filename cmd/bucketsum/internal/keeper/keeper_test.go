package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/keeper"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

func letterOf(key string, padding int) *message.Message {
	return message.NewMessage(key, fmt.Appendf(nil, `{"detail-type":"Object Created","source":"aws.s3","time":"2026-01-02T03:04:05Z",
		"detail":{"bucket":{"name":"inbox"},"object":{"key":%q,"sequencer":"01"}}}%s`, key, strings.Repeat(" ", padding)))
}

// run does something with the letters that a keeper has.
func run(t *testing.T, k *keeper.Keeper, a redrive.Action, match ...string) redrive.Tally {
	t.Helper()
	c := redrive.Config{Drivers: queue.Drivers{k}, From: "mem://failed", Action: a, Wait: keeper.Wait, Decode: events.Decode}
	if a == redrive.Send {
		c.To = "mem://events"
	}
	var err error
	if c.Match, err = redrive.ParseMatch(match); err != nil {
		t.Fatal(err)
	}
	s, err := redrive.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s.Total
}

// TestKeeperIsBounded keeps the last letters, by number and by size.
func TestKeeperIsBounded(t *testing.T) {
	for name, tc := range map[string]struct{ letters, padding, want int }{
		"number":        {2000, 0, 1000},
		"size":          {40, 1 << 20, 3},
		"one huge":      {1, 32 << 20, 1},
		"several huge":  {3, 32 << 20, 1},
		"all that came": {10, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keeper.New("mem", nil)
				for i := range tc.letters {
					k.Add(letterOf(fmt.Sprintf("k%d", i), tc.padding))
				}
				if got := run(t, k, redrive.Look); got.Found != tc.want {
					t.Errorf("it keeps %d letters, want %d", got.Found, tc.want)
				}
				if got := run(t, k, redrive.Look, fmt.Sprintf("key=k%d", tc.letters-1)); tc.padding == 0 && got.Matched != 1 { // larger ones are not decoded
					t.Errorf("the last one: %+v", got)
				}
			})
		})
	}
}

// TestKeeperSends sends what matches, forgets what has succeeded, and keeps what its queue does not take.
func TestKeeperSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		full := false
		k := keeper.New("mem", func(m *message.Message) error {
			if full {
				<-m.Context().Done()
				return context.Cause(m.Context())
			}
			sent = append(sent, m.UUID)
			return nil
		})
		for _, key := range []string{"a", "b", "c"} {
			k.Add(letterOf(key, 0))
		}
		k.Succeeded(pipeline.Object{Bucket: "inbox", Key: "b"})
		k.Succeeded(pipeline.Object{Bucket: "other", Key: "c"})
		if got := run(t, k, redrive.Send, "key=a"); got.Found != 2 || got.Sent != 1 || fmt.Sprint(sent) != "[a]" {
			t.Errorf("%+v, sent %q", got, sent)
		}
		full = true
		if got := run(t, k, redrive.Send); got.Sent != 0 || got.Failed != 1 {
			t.Errorf("a full queue: %+v", got)
		}
		if got := run(t, k, redrive.Discard); got.Discarded != 1 {
			t.Errorf("the one that was kept: %+v", got)
		}
	})
}
