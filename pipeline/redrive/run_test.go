package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const from, to = "fake://failed", "fake://objects"

func config(b *broker) redrive.Config {
	return redrive.Config{Drivers: queue.Drivers{b}, From: from, To: to, Action: redrive.Send, Decode: decode}
}

// mustRun runs in a bubble, where the waits for an empty queue take no time.
func mustRun(t *testing.T, c redrive.Config) redrive.Summary {
	t.Helper()
	s, err := redrive.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func because(reason string) map[string]string {
	return map[string]string{pipeline.MetadataReason: reason, pipeline.MetadataAttempt: "7", "traceparent": "00-1", pipeline.MetadataSlice: "3"}
}

func TestSendsWhatMatchesUnchanged(t *testing.T) {
	for name, test := range map[string]struct {
		match redrive.Match
		sent  []string
	}{
		"all":                {redrive.Match{}, []string{"photos a.jpg", "photos b.tmp", "video a.jpg", "garbage", "photos c.jpg"}},
		"reason":             {redrive.Match{Reasons: []string{"DENIED"}}, []string{"photos a.jpg", "video a.jpg"}},
		"group":              {redrive.Match{Reasons: []string{"interrupted N times"}}, []string{"photos b.tmp"}},
		"either reason":      {redrive.Match{Reasons: []string{"denied", "json"}}, []string{"photos a.jpg", "video a.jpg", "garbage"}},
		"as a page has it":   {redrive.Match{Reasons: []string{"event:\nNOT JSON"}}, []string{"garbage"}},
		"a line end":         {redrive.Match{Reasons: []string{"\n"}}, nil},
		"an ellipsis":        {redrive.Match{Reasons: []string{"…", "access…"}}, nil},
		"a long reason, cut": {redrive.Match{Reasons: []string{strings.Repeat("long ", 199) + "…"}}, []string{"photos c.jpg"}},
		"no reason":          {redrive.Match{Reasons: []string{""}}, nil},
		"bucket":             {redrive.Match{Buckets: []string{"photos"}}, []string{"photos a.jpg", "photos b.tmp", "photos c.jpg"}},
		"key":                {redrive.Match{Keys: []string{"a.jpg"}}, []string{"photos a.jpg", "video a.jpg"}},
		"bucket and key":     {redrive.Match{Buckets: []string{"photos"}, Keys: []string{"a.jpg"}}, []string{"photos a.jpg"}},
		"reason or bucket":   {redrive.Match{Reasons: []string{"denied"}, Buckets: []string{"photos"}}, []string{"photos a.jpg"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker()
				b.put(from, "photos a.jpg", because("access denied"))
				b.put(from, "photos b.tmp", because("interrupted 12 times"))
				b.put(from, "video a.jpg", because("access denied"))
				b.put(from, "garbage", because("event: not JSON"))
				b.put(from, "photos c.jpg", because(strings.Repeat("long ", 200)))
				before := b.bodies(from)
				c := config(b)
				c.Match = test.match
				s := mustRun(t, c)
				sent := b.bodies(to)
				slices.Sort(sent)
				want := slices.Sorted(slices.Values(test.sent))
				if !slices.Equal(sent, want) {
					t.Errorf("sent %q, want %q", sent, want)
				}
				left := slices.DeleteFunc(before, func(body string) bool { return slices.Contains(test.sent, body) })
				if got := b.bodies(from); !slices.Equal(got, left) {
					t.Errorf("left %q, want %q", got, left)
				}
				if len(b.leased) > 0 {
					t.Errorf("%d messages are still held", len(b.leased))
				}
				if s.Total.Sent != len(want) || s.Total.Matched != len(want) || s.Total.Left() != len(left) || !s.Done() {
					t.Errorf("summary %+v, done %v", s.Total, s.Done())
				}
				for _, m := range b.queues[to] {
					if want := map[string]string{"traceparent": "00-1", pipeline.MetadataSlice: "3"}; !cmp.Equal(m.metadata, want) || m.id != "id of "+m.body {
						t.Errorf("message %q has metadata %v, want %v", m.id, m.metadata, want)
					}
				}
			})
		})
	}
}

func TestLookChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 40 {
			b.put(from, fmt.Sprintf("photos key-%d", i), because(fmt.Sprintf("photos/key-%d: no space left, request 4442587FB7D0A2F9", i)))
		}
		b.put(from, "?", nil)
		time.Sleep(time.Hour)
		b.put(from, "photos last", because(`photos/last: no space left, request 0000587FB7D0A2F9`))
		c := config(b)
		c.Action, c.To = redrive.Look, ""
		s := mustRun(t, c)
		if n := len(b.bodies(from)); n != 42 || len(b.leased) > 0 {
			t.Errorf("%d messages lie there, %d are held; want 42 and none", n, len(b.leased))
		}
		if len(s.Groups) != 2 || s.Groups[0].Reason != "photos/…: no space left, request …" || s.Groups[0].Found != 41 || s.Groups[1].Reason != redrive.NoReason {
			t.Fatalf("groups %+v", s.Groups)
		}
		if g := s.Groups[0]; g.Newest.Sub(g.Oldest) != time.Hour || len(g.Samples) != 3 || g.Samples[0].Key != "key-0" {
			t.Errorf("group %+v", g)
		}
	})
}

func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		b.put(from, "photos a", nil)
		b.put(from, "video a", nil)
		c := config(b)
		c.Action, c.Match.Buckets = redrive.Discard, []string{"video"}
		s := mustRun(t, c)
		if got := b.bodies(from); !slices.Equal(got, []string{"photos a"}) || s.Total.Discarded != 1 || !s.Done() {
			t.Errorf("left %q, summary %+v", got, s)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 100 {
			b.put(from, fmt.Sprint("photos ", i), nil)
		}
		c := config(b)
		c.Limit = 7
		s := mustRun(t, c)
		if len(b.bodies(to)) != 7 || len(b.bodies(from)) != 93 || s.End != redrive.Limited || !s.Done() {
			t.Errorf("%d sent, %d left, summary %+v", len(b.bodies(to)), len(b.bodies(from)), s)
		}
	})
}

// TestHoldIsBounded: behind the messages that are held others may lie.
func TestHoldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 100 {
			b.put(from, fmt.Sprint("photos ", i), nil)
		}
		b.put(from, "video 1", nil)
		c := config(b)
		c.Hold, c.Match.Buckets = 50, []string{"video"}
		s := mustRun(t, c)
		if s.End != redrive.Full || s.Done() || s.Total.Found < 50 || s.Total.Found > 50+16 {
			t.Errorf("summary %+v", s)
		}
		c.Hold = 200
		if s = mustRun(t, c); s.End != redrive.Empty || s.Total.Sent != 1 || len(b.bodies(from)) != 100 {
			t.Errorf("summary %+v", s)
		}
	})
}

// TestCameBack: the workers give up a message again while the redrive runs. It is not sent a second time.
func TestCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		b.put(from, "photos a", because("access denied"))
		b.put(from, "photos b", because("access denied"))
		// Two workers have given up one message: both letters are old.
		b.put(from, "photos b", because("access denied"))
		time.Sleep(time.Minute)
		b.sent = func(m *stored) {
			if m.body == "photos a" {
				b.change(func() {
					b.queues[from] = append(b.queues[from], &stored{id: m.id, body: m.body, metadata: because("access denied"), at: time.Now()})
				})
			}
		}
		s := mustRun(t, config(b))
		if got := b.bodies(to); len(got) != 3 || s.Total.CameBack != 1 || s.Done() {
			t.Errorf("sent %q, summary %+v", got, s)
		}
		if got := b.bodies(from); !slices.Equal(got, []string{"photos a"}) {
			t.Errorf("left %q", got)
		}
	})
}

func TestTopicFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 5 {
			b.put(from, fmt.Sprint("photos ", i), because("x"))
		}
		tries := 0
		b.sending = func(_ string, m *message.Message) error {
			if string(m.Payload) == "photos 3" {
				tries++
				return errors.New("too long")
			}
			return nil
		}
		s := mustRun(t, config(b))
		if len(b.bodies(to)) != 4 || s.Total.Failed != 1 || s.Done() || tries < 2 || !strings.Contains(s.Groups[0].Fault, "too long") {
			t.Errorf("%d sent after %d tries, summary %+v", len(b.bodies(to)), tries, s)
		}
		if m := b.queues[from]; len(m) != 1 || m[0].body != "photos 3" || len(b.leased) > 0 {
			t.Errorf("left %q", b.bodies(from))
		}
	})
}

func TestTopicIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 1000 {
			b.put(from, fmt.Sprint("photos ", i), nil)
		}
		b.sending = func(string, *message.Message) error { return pipeline.Permanent(errors.New("no permission")) }
		s, err := redrive.Run(t.Context(), config(b))
		if err == nil || !strings.Contains(err.Error(), "no permission") || s.End != redrive.Broken || len(b.bodies(from)) != 1000 || len(b.leased) > 0 {
			t.Errorf("error %v, end %s, %d left", err, s.End, len(b.bodies(from)))
		}
		if s.Total.Found > 100 {
			t.Errorf("%d were tried", s.Total.Found)
		}
	})
}

// TestDeleteFails: a message that was sent and not deleted comes again. It is not sent a second time.
func TestDeleteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		b.put(from, "photos a", nil)
		b.put(from, "photos b", nil)
		failed := false
		b.acking = func(body string) error {
			if body == "photos a" && !failed {
				failed = true
				return fmt.Errorf("gone: %w", pipeline.ErrLeaseLost)
			}
			return nil
		}
		s := mustRun(t, config(b))
		if got := b.bodies(to); len(got) != 2 || len(b.bodies(from)) != 0 || s.Total.Sent != 2 || s.Total.Found != 2 {
			t.Errorf("sent %q, left %q, summary %+v", got, b.bodies(from), s.Total)
		}
	})
}

// TestQueueBreaks: the queue is opened again, and what was held is counted once.
func TestQueueBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		for i := range 40 {
			b.put(from, fmt.Sprint("photos ", i), nil)
		}
		b.put(from, "video 1", nil)
		n := 0
		b.receives = func() error {
			if n++; n == 3 || n == 4 {
				return errors.New("connection reset")
			}
			return nil
		}
		c := config(b)
		c.Match.Buckets = []string{"video"}
		s := mustRun(t, c)
		if s.Total != (redrive.Tally{Found: 41, Matched: 1, Sent: 1}) || b.opens != 3 || len(b.bodies(from)) != 40 {
			t.Errorf("summary %+v, opened %d times, %d left", s.Total, b.opens, len(b.bodies(from)))
		}
		n = 0
		b.receives = func() error { return errors.New("no permission") }
		if s, err := redrive.Run(t.Context(), c); err == nil || s.End != redrive.Broken {
			t.Errorf("error %v, summary %+v", err, s)
		}
	})
}

// TestEndsAsSoonAsTheQueueSays: a queue that counts exactly need not be waited for.
func TestEndsAsSoonAsTheQueueSays(t *testing.T) {
	for name, test := range map[string]struct {
		exact bool
		held  int
		want  time.Duration
	}{
		"exactly":            {true, 0, 2 * time.Second},
		"others hold some":   {true, 3, 10 * time.Second},
		"its count is stale": {false, 0, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBroker()
			b.put(from, "photos a", nil)
			b.traits.Count = func(context.Context, string) (queue.Count, error) {
				return queue.Count{Waiting: len(b.bodies(from)), Held: test.held, Exact: test.exact}, nil
			}
			began := time.Now()
			s := mustRun(t, config(b))
			if took := time.Since(began); took > test.want+time.Second || took < test.want/2 || s.Total.Sent != 1 || s.After == nil || s.After.Held != test.held {
				t.Errorf("%s: it took %s, summary %+v", name, took, s)
			}
		})
	}
}

// TestSlowQueue: a queue that says that messages wait is not empty.
func TestSlowQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		b.traits.Count = func(context.Context, string) (queue.Count, error) {
			return queue.Count{Waiting: 1 - len(b.bodies(to))}, nil
		}
		time.AfterFunc(25*time.Second, func() { b.put(from, "photos a", nil) })
		if s := mustRun(t, config(b)); s.Total.Sent != 1 {
			t.Errorf("summary %+v", s)
		}
	})
}

func TestTheServiceMoves(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		match redrive.Match
		moved bool
	}{
		"all":         {nil, redrive.Match{}, true},
		"unsupported": {fmt.Errorf("%w: no", errors.ErrUnsupported), redrive.Match{}, false},
		"filtered":    {nil, redrive.Match{Buckets: []string{"photos"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker()
				b.put(from, "photos a", nil)
				b.traits.Move = func(_ context.Context, f, t string, told func(int)) (int, error) {
					if f != from || t != to {
						return 0, errors.New("wrong places")
					}
					return 5, test.err
				}
				c := config(b)
				c.Match = test.match
				s := mustRun(t, c)
				if test.moved != (s.Total.Sent == 5) || test.moved != (len(b.bodies(from)) == 1) || !s.Done() {
					t.Errorf("summary %+v, left %q", s, b.bodies(from))
				}
			})
		})
	}
}

func TestRefused(t *testing.T) {
	b := newBroker()
	memory := newBroker()
	memory.traits = queue.Traits{Schemes: []queue.Scheme{{Name: "mem"}}, InProcess: true}
	for name, change := range map[string]func(*redrive.Config){
		"same place":   func(c *redrive.Config) { c.To = from + "?x=y" },
		"from memory":  func(c *redrive.Config) { c.From = "mem://a" },
		"to memory":    func(c *redrive.Config) { c.To = "mem://a" },
		"unknown":      func(c *redrive.Config) { c.From = "other://a" },
		"no --to":      func(c *redrive.Config) { c.To = "" },
		"negative":     func(c *redrive.Config) { c.Hold = -1 },
		"with secrets": func(c *redrive.Config) { c.From = "other://user:hunter2@a" },
	} {
		c := config(b)
		c.Drivers = append(c.Drivers, memory)
		change(&c)
		_, err := redrive.Run(t.Context(), c)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
