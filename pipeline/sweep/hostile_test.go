package sweep_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

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
