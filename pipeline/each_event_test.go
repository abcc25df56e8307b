package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestDeadLetterOfAThousandEvents(t *testing.T) {
	for _, tc := range []struct {
		failing int
		reason  string
	}{
		{1, "1 of 1000 events: inbox/k0: bad k0"},
		{5, "5 of 1000 events: inbox/k0: bad k0; inbox/k1: bad k1; inbox/k2: bad k2; inbox/k3: bad k3; inbox/k4: bad k4"},
		{7, "7 of 1000 events: inbox/k0: bad k0; inbox/k1: bad k1; inbox/k2: bad k2; inbox/k3: bad k3; inbox/k4: bad k4; and 2 more"},
		{1000, "1000 of 1000 events: inbox/k0: bad k0; inbox/k1: bad k1; inbox/k2: bad k2; inbox/k3: bad k3; inbox/k4: bad k4; and 995 more"},
	} {
		t.Run(fmt.Sprint(tc.failing), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var body strings.Builder
				bad := make(map[string]bool)
				for i := range 1000 {
					key := fmt.Sprintf("k%d", i)
					bad[key] = i < tc.failing
					fmt.Fprintln(&body, key)
				}
				var calls calls
				p := start(t, func(_ context.Context, e pipeline.Event) error {
					calls.add(e.Object.Key)
					if bad[e.Object.Key] {
						return pipeline.Permanent(errors.New("bad " + e.Object.Key))
					}
					return nil
				})
				p.queue.send("m", body.String())
				p.settle()

				p.wantSettled(t, acked("m", 1))
				dead := p.deadLetter(t, "m")
				if got := dead.Metadata.Get(pipeline.MetadataReason); got != tc.reason {
					t.Errorf("reason is %q, want %q", got, tc.reason)
				}
				if string(dead.Payload) != body.String() {
					t.Error("the body is not the original")
				}
				for key := range bad {
					if n := calls.of(key); n != 1 {
						t.Errorf("%s was handled %d times, want once", key, n)
					}
				}
			})
		})
	}
}

func TestReasonOfManyLongErrorsSaysHowMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, always(pipeline.Permanent(errors.New(strings.Repeat("long ", 100_000)))))
		p.queue.send("m", "a\nb\nc\nd\ne\nf")
		p.settle()
		reason := p.deadLetter(t, "m").Metadata.Get(pipeline.MetadataReason)
		if len(reason) > 1000 || !strings.HasPrefix(reason, "6 of 6 events: inbox/a: long long") {
			t.Errorf("reason of %d bytes: %s", len(reason), reason)
		}
		if text := p.delivery(t, 0).Err.Error(); len(text) > 3000 || !strings.HasSuffix(text, "; and 1 more") {
			t.Errorf("error of %d bytes: %s", len(text), text)
		}
	})
}

// The event that needs the most care decides the fate of the message.
func TestMixedFailures(t *testing.T) {
	transient := errors.New("503")
	permanent := pipeline.Permanent(errors.New("no room"))
	superseded := fmt.Errorf("open: %w", pipeline.ErrMissing)
	for _, tc := range []struct {
		name   string
		first  []error // of the events a, b, c on the first delivery
		fate   pipeline.Fate
		text   string
		logged string // key
	}{
		{"superseded beside done", []error{nil, superseded, nil}, pipeline.Acked, "1 of 3 events: inbox/b: open: no such object", "b"},
		{"permanent beside superseded", []error{superseded, permanent, nil}, pipeline.DeadLettered, "1 of 3 events: inbox/b: no room", "b"},
		{"transient beside permanent", []error{permanent, superseded, transient}, pipeline.Nacked, "2 of 3 events: inbox/a: no room; inbox/c: 503", "c"},
		{"all superseded", []error{superseded, superseded, superseded}, pipeline.Acked,
			"3 of 3 events: inbox/a: open: no such object; inbox/b: open: no such object; inbox/c: open: no such object", "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := make(map[string][]error)
				for i, err := range tc.first {
					answers[string(rune('a'+i))] = []error{err}
				}
				handle, _ := answering(answers)
				p := start(t, handle, withoutRetry)
				p.queue.send("m", "a\nb\nc")
				synctest.Wait()
				d := p.delivery(t, 0)
				if d.Fate != tc.fate || d.Err.Error() != tc.text {
					t.Errorf("%s with %q, want %s with %q", d.Fate, d.Err, tc.fate, tc.text)
				}
				if key := p.log.of(t, "m")[0]["key"]; key != tc.logged {
					t.Errorf("the log line names %v, want %s", key, tc.logged)
				}
			})
		})
	}
}
