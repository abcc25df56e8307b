package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// givenUp collects announcements of events that were given up.
type givenUp struct {
	mu      sync.Mutex
	fails   []error // returned by the first calls
	calls   int
	results []pipeline.Result
	dead    func() int // number of dead letters
	early   bool       // every announcement came before its dead letter
}

func (g *givenUp) announce(_ context.Context, r pipeline.Result) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	if g.calls <= len(g.fails) {
		return g.fails[g.calls-1]
	}
	g.early = g.dead() == 0
	g.results = append(g.results, r)
	return nil
}

// startAnnouncing starts a pipeline that announces events that it gives up.
func startAnnouncing(t *testing.T, g *givenUp, handle pipeline.Handler, change ...func(*pipeline.Config)) *pipe {
	t.Helper()
	g.dead = func() int { return 0 }
	p := start(t, handle, append(change, func(c *pipeline.Config) { c.DeadLetters.Announce = g.announce })...)
	g.dead = func() int { return len(p.dead.letters()) }
	return p
}

func TestGivenUpIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, _ := answering(map[string][]error{
			"bad":     {pipeline.Permanent(errors.New("no\nroom"))},
			"gone":    {pipeline.ErrMissing},
			"claimed": {pipeline.Permanent(pipeline.ErrMismatch)}, // announced by its own result
		})
		g := &givenUp{}
		p := startAnnouncing(t, g, handle)
		p.queue.send("m", "good\nbad#01\ngone\nclaimed\n?odd")
		p.settle()
		p.wantSettled(t, acked("m", 1))
		p.deadLetter(t, "m")
		want := []pipeline.Result{{
			Outcome: pipeline.Failed, Reason: "no room",
			Record: pipeline.Record{Source: pipeline.Object{Bucket: bucket, Key: "bad", Sequencer: "01"}},
			Event:  pipeline.Event{Kind: pipeline.Created, Object: pipeline.Object{Bucket: bucket, Key: "bad", Sequencer: "01"}},
		}}
		if diff := cmp.Diff(want, g.results); diff != "" || !g.early {
			t.Errorf("announced before the dead letter: %v (-want +got):\n%s", g.early, diff)
		}
	})
}

// A message stays in the queue while the announcement fails. The deliveries after the last permitted one do not
// repeat its work.
func TestAnnouncementFails(t *testing.T) {
	for name, down := range map[string]error{
		"transient":  errors.New("topic is down"),
		"permanent":  pipeline.Permanent(errors.New("topic is gone")),
		"superseded": pipeline.ErrMissing,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &givenUp{fails: []error{down, down}}
				p := startAnnouncing(t, g, always(errors.New("503")), withoutRetry, maxDeliveries(1))
				p.queue.send("m", "a")
				p.settle()
				p.wantSettled(t, nacked("m", 1), nacked("m", 2), acked("m", 3))
				if len(g.results) != 1 || !strings.HasPrefix(g.results[0].Reason, "interrupted 2 times") || len(p.dead.letters()) != 1 {
					t.Errorf("announced %+v, %d dead letters", g.results, len(p.dead.letters()))
				}
			})
		})
	}
}

func TestGarbageIsNotAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &givenUp{}
		p := startAnnouncing(t, g, always(nil))
		p.queue.send("m", "!garbage")
		p.settle()
		p.deadLetter(t, "m")
		if g.calls != 0 {
			t.Errorf("announced %+v", g.results)
		}
	})
}

func TestGivenUp(t *testing.T) {
	for _, tc := range []struct {
		body   string
		handle error
		want   pipeline.GivenUp
	}{
		{"a", nil, ""},
		{"a", pipeline.ErrMissing, ""},
		{"!garbage", nil, pipeline.GivenUpUndecodable},
		{"a", errors.New("503"), pipeline.GivenUpExhausted},
		{"a", pipeline.Permanent(errors.New("in the way")), pipeline.GivenUpRefused},
		{"%m", pipeline.Permanent(errors.New("no place for reports")), pipeline.GivenUpRefused},
		{"a\nb", pipeline.Permanent(fmt.Errorf("a %w", pipeline.ErrMismatch)), pipeline.GivenUpMismatch},
		{"a\nb", pipeline.Permanent(fmt.Errorf("bucket %w", pipeline.ErrUnknownBucket)), pipeline.GivenUpUnknown},
		{"a\nb", pipeline.Permanent(fmt.Errorf("a: %w", pipeline.ErrMissing)), pipeline.GivenUpMissing},
	} {
		t.Run(fmt.Sprint(tc.body, tc.handle), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, always(tc.handle), maxDeliveries(1))
				p.queue.send("m", tc.body)
				p.settle()
				if got := p.delivery(t, 0).GivenUp(); got != tc.want {
					t.Errorf("given up as %q, want %q", got, tc.want)
				}
			})
		})
	}
}
