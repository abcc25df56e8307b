package sweep_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestHostileShards: a message can make a worker do only what a plan in its own reports asks for.
func TestHostileShards(t *testing.T) {
	w := newWorld(map[string]*store{"b": newStore(100)})
	opened := false
	var got rows
	prepare := (&process{world: w, kill: func() {}}).pass(&got)
	prepare.Options.Prefix = "k00001"
	if _, err := prepare.Here(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := w.stores["b"].requests
	worker := &sweep.Worker{Reports: w.reports, Send: func(context.Context, pipeline.Shard) error { return nil }, Open: func(_ context.Context, _ sweep.Plan, bucket string) (sweep.Bucket, error) {
		opened = true
		return sweep.Bucket{}, fmt.Errorf("bucket %q %w", bucket, pipeline.ErrUnknownBucket)
	}}
	for name, tc := range map[string]struct {
		shard pipeline.Shard
		want  string
	}{
		"no name":               {pipeline.Shard{Bucket: "b"}, "a name has 1 to 63 lower-case letters"},
		"a path":                {pipeline.Shard{Pass: "../x", Bucket: "b"}, "a name has 1 to 63 lower-case letters"},
		"unknown pass":          {pipeline.Shard{Pass: "other", Bucket: "b"}, "there is no such pass in the reports of this worker"},
		"unknown bucket":        {pipeline.Shard{Pass: "audit", Bucket: "c"}, "the plan has no such shard"},
		"before the prefix":     {pipeline.Shard{Pass: "audit", Bucket: "b", Through: "k000015"}, "the plan has no such shard"},
		"behind the prefix":     {pipeline.Shard{Pass: "audit", Bucket: "b", After: "k00001"}, "the plan has no such shard"},
		"a range that is empty": {pipeline.Shard{Pass: "audit", Bucket: "b", After: "k000015", Through: "k000012"}, "the range ends before it begins"},
		"a bucket not served":   {pipeline.Shard{Pass: "audit", Bucket: "b", After: "k000012", Through: "k000013"}, "is not configured"},
		"a huge position":       {pipeline.Shard{Pass: "audit", Bucket: "b", After: strings.Repeat("k", 1<<20)}, "more than the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			err := worker.Handle(t.Context(), event(tc.shard))
			if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 1000 {
				t.Errorf("got %v, want a permanent error with %q", err, tc.want)
			}
		})
	}
	if n := w.stores["b"].requests; n != asked {
		t.Errorf("the bucket was asked %d times", n-asked)
	}
	if !opened {
		t.Error("no case came so far that the bucket was opened")
	}
}

// TestHostilePlans: a plan that is not one is refused by workers, and by a pass with its name.
func TestHostilePlans(t *testing.T) {
	for name, tc := range map[string]struct {
		plan string
		want pipeline.Class
	}{
		"no JSON":        {"<xml>", pipeline.ClassTransient},
		"of the future":  {`{"pass":"audit","command":"verify","buckets":{"b":[{}]},"options":{"delete":true}}`, pipeline.ClassTransient},
		"of another":     {`{"pass":"x","command":"verify","buckets":{"b":[{}]}}`, pipeline.ClassPermanent},
		"no buckets":     {`{"pass":"audit","command":"verify"}`, pipeline.ClassPermanent},
		"no ranges":      {`{"pass":"audit","command":"verify","buckets":{"b":[]}}`, pipeline.ClassPermanent},
		"a gap":          {`{"pass":"audit","command":"verify","buckets":{"b":[{"through":"k"},{"after":"l"}]}}`, pipeline.ClassPermanent},
		"an overlap":     {`{"pass":"audit","command":"verify","buckets":{"b":[{"through":"k"},{"after":"j"}]}}`, pipeline.ClassPermanent},
		"all twice":      {`{"pass":"audit","command":"verify","buckets":{"b":[{},{}]}}`, pipeline.ClassPermanent},
		"no beginning":   {`{"pass":"audit","command":"verify","buckets":{"b":[{"after":"k"}]}}`, pipeline.ClassPermanent},
		"no end":         {`{"pass":"audit","command":"verify","buckets":{"b":[{"through":"k"}]}}`, pipeline.ClassPermanent},
		"a bad glob":     {`{"pass":"audit","command":"verify","buckets":{"b":[{}]},"options":{"include":["["]}}`, pipeline.ClassPermanent},
		"a bad sample":   {`{"pass":"audit","command":"verify","buckets":{"b":[{}]},"options":{"sample":-1}}`, pipeline.ClassPermanent},
		"a bad name":     {`{"pass":"../audit","command":"verify","buckets":{"b":[{}]}}`, pipeline.ClassPermanent},
		"a second value": {`{"pass":"audit","command":"verify","buckets":{"b":[{}]}} {}`, pipeline.ClassTransient},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]*store{"b": newStore(100)})
			w.reports.objects["plans/audit.json"] = []byte(tc.plan)
			worker := &sweep.Worker{Reports: w.reports, Open: func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
				t.Error("the bucket was opened")
				return sweep.Bucket{}, errStore
			}}
			if err := worker.Handle(t.Context(), event(pipeline.Shard{Pass: "audit", Bucket: "b"})); pipeline.Classify(err) != tc.want {
				t.Errorf("worker: got the class %q of %v, want %q", pipeline.Classify(err), err, tc.want)
			}
			p := (&process{world: w, kill: func() {}}).pass(new(rows))
			if _, err := p.Here(t.Context()); err == nil {
				t.Error("a pass with this name: got no error")
			}
			p.Name = ""
			if s, err := p.Here(t.Context()); err != nil || !s.Complete {
				t.Errorf("another pass beside it: got %+v, %v", s, err)
			}
		})
	}
}

// packed compresses lines as a report.
func packed(lines ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, line := range lines {
		_, _ = io.WriteString(z, line+"\n") // a buffer takes all
	}
	_ = z.Close()
	return b.Bytes()
}

// TestHostileReports: a report that this program did not write is named, and nothing is taken from it.
func TestHostileReports(t *testing.T) {
	w := newWorld(map[string]*store{"b": newStore(100)})
	p := (&process{world: w, kill: func() {}}).pass(new(rows))
	p.Shards, p.Cut = 1, sweep.Cut{}
	if _, err := p.Here(t.Context()); err != nil {
		t.Fatal(err)
	}
	var name string
	for n := range w.reports.Names(t.Context(), "reports/") {
		name = n
	}
	delete(w.reports.objects, "summaries/audit.json")
	const head = `{"format":1,"pass":"audit","bucket":"b",`
	row := func(key string) string { return `{"bucket":"b","key":"` + key + `","state":"ok"}` }
	bomb := packed(head+`"totals":{"objects":{}}}`, strings.Repeat(" ", 200<<20))
	for name2, report := range map[string][]byte{
		"not compressed":              []byte("hello"),
		"empty":                       {},
		"no header":                   packed(),
		"no JSON":                     packed("hello"),
		"another format":              packed(`{"format":2,"pass":"audit","bucket":"b"}`),
		"of another pass":             packed(`{"format":1,"pass":"x","bucket":"b"}`),
		"of another bucket":           packed(`{"format":1,"pass":"audit","bucket":"c"}`),
		"of another range":            packed(head + `"after":"k"}`),
		"followed by itself":          packed(head + `"next":[{}]}`),
		"followed by a part only":     packed(head + `"end":"k1","next":[{"after":"k1","through":"k2"}]}`),
		"followed by what it has":     packed(head + `"end":"k1","next":[{"after":"k0"}]}`),
		"followed by too many":        packed(head + `"end":"a","next":[{"after":"a","through":"b"},{"after":"b","through":"c"},{"after":"c","through":"d"},{"after":"d","through":"e"},{"after":"e"}]}`),
		"ends early, nothing follows": packed(head + `"end":"k1"}`),
		"rows, and covers nothing":    packed(head+`"totals":{"objects":{"ok":1}},"next":[{"through":"m"},{"after":"m"}]}`, row("k")),
		"a row of another bucket":     packed(head+`"totals":{"objects":{"ok":1}}}`, `{"bucket":"c","key":"k","state":"ok"}`),
		"rows out of order":           packed(head+`"totals":{"objects":{"ok":2}}}`, row("k2"), row("k1")),
		"a row twice":                 packed(head+`"totals":{"objects":{"ok":2}}}`, row("k1"), row("k1")),
		"a row behind the end":        packed(head+`"totals":{"objects":{"ok":1}},"end":"k1","next":[{"after":"k1"}]}`, row("k2")),
		"totals of other rows":        packed(head+`"totals":{"objects":{"ok":2}}}`, row("k1")),
		"a row that is none":          packed(head+`"totals":{"objects":{}}}`, `[]`),
		"cut off":                     packed(head+`"totals":{"objects":{"ok":1}}}`, row("k1"))[:60],
		"a line without an end":       bomb,
	} {
		t.Run(name2, func(t *testing.T) {
			w.reports.objects[name] = report
			var got rows
			p.Rows = got.add
			s, err := p.Here(t.Context())
			if err == nil || s.Complete || len(got) > 0 || !strings.Contains(err.Error(), name+": the report is damaged; delete it to have its shard run again") {
				t.Errorf("got %d rows, %+v, %v; want an error that names the report", len(got), s, err)
			}
		})
	}
	delete(w.reports.objects, name)
	checkWhole(t, w)
}

// TestForgedShards: messages for parts of the ranges of a plan, as a forger sends them, make workers work and do
// nothing else: what they write are reports of these parts, and the pass has one row for each object.
func TestForgedShards(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(map[string]*store{"a": newStore(60), "b": newStore(120)})
			start(t, w)
			random := rand.New(rand.NewPCG(seed, 0))
			position := func() string {
				return fmt.Sprintf("k%06d", random.IntN(120)) + []string{"", "", "x", "\x00"}[random.IntN(4)]
			}
			for _, root := range slices.Clone(w.sent) {
				for range 10 {
					forged := root
					switch random.IntN(3) {
					case 0: // it begins as a shard of the pass
						forged.Through = position()
					case 1: // it ends as one
						forged.After = position()
					default:
						forged.After, forged.Through = position(), position()
					}
					w.queue = append(w.queue, forged)
				}
			}
			random.Shuffle(len(w.queue), func(i, j int) { w.queue[i], w.queue[j] = w.queue[j], w.queue[i] })

			written := make(map[string]bool)
			w.reports.after = func(operation, name string) error {
				if operation == "put" {
					written[name] = true
				}
				return nil
			}
			p, refused := &process{world: w, kill: func() {}}, 0
			worker := &sweep.Worker{Reports: w.reports, Open: p.open, Send: p.Send, Concurrency: 1, Cut: sweep.Cut{Items: 8}}
			for s, ok := p.first(); ok; s, ok = p.first() {
				if err := worker.Handle(t.Context(), event(s)); pipeline.Classify(err) == pipeline.ClassPermanent {
					refused++ // it becomes a dead letter
				} else if err != nil {
					t.Fatalf("%s: %v", s, err)
				}
				w.remove(s)
			}
			for name := range written {
				if !strings.HasPrefix(name, "reports/audit/a/") && !strings.HasPrefix(name, "reports/audit/b/") {
					t.Errorf("a worker has written %s", name)
				}
			}
			var got rows
			pass := p.pass(&got)
			s, err := pass.ByQueue(t.Context(), func(_ context.Context, s pipeline.Shard) error {
				return fmt.Errorf("%s has no report", s)
			})
			slices.Sort(got)
			if diff := cmp.Diff(all(w.stores), got); err != nil || !s.Complete || diff != "" {
				t.Errorf("got %+v, %v; rows (-want +got):\n%s", s, err, diff)
			}
			if refused == 0 || len(written) < 60 {
				t.Errorf("%d messages were refused, and %d reports written: the forger had no part in it", refused, len(written))
			}
			checkWhole(t, w)
		})
	}
}
