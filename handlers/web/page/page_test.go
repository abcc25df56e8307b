package page_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

func render(c page.Config, s live.Status) string {
	c.Live = true
	return string(page.Render(c, s))
}

// TestState expects the sentence at the top, and the same in the title.
func TestState(t *testing.T) {
	known := func(n int64) *int64 { return &n }
	failure := func(final bool) live.Failure { return live.Failure{Key: "a", Final: final} }
	waiting := func(n int64, b live.Bound) *live.Waiting { return &live.Waiting{Count: n, Bound: b} }
	many := live.Totals{Summed: 1200, Current: 4}
	for want, tc := range map[string]struct {
		faults map[string]string
		status live.Status
	}{
		"Nothing yet: waiting for the first object": {},
		"Up to date: 1,204 done":                    {status: live.Status{Totals: many, Waiting: waiting(0, live.Exactly)}},
		"Nothing in work: 1,204 done":               {status: live.Status{Totals: many}}, // the queue does not say that it is empty
		"Done, except for failures: 1,204 done, 2 failed, 1 to be retried": {status: live.Status{
			Totals: many, Waiting: waiting(0, live.Exactly), Failures: []live.Failure{failure(true), failure(false), failure(true)},
		}},
		"Working: 1,204 done, 1 failed, 2 in work at 10.0 MiB/s, 40 s left": {status: live.Status{
			Totals: many, Failures: []live.Failure{failure(true)}, InWorkCount: 2, BytesPerSecond: 10 << 20, BytesLeft: known(400 << 20), Waiting: waiting(0, live.About),
		}},
		"Working: 2 in work, about 17 waiting":                                {status: live.Status{InWorkCount: 2, Waiting: waiting(17, live.About)}},
		"Working: 2 in work at 5.0 MiB/s":                                     {status: live.Status{InWorkCount: 2, BytesPerSecond: 5 << 20, BytesLeft: known(9)}}, // more may wait
		"Working: 2 in work, at least 1,000 waiting":                          {status: live.Status{InWorkCount: 2, Waiting: waiting(1000, live.AtLeast)}},
		"Stopping: 2 in work":                                                 {faults: map[string]string{"draining": "ends"}, status: live.Status{InWorkCount: 2}},
		"Starting: waits for --queue: no such queue":                          {faults: map[string]string{"start": "waits", "--queue": "--queue: no such queue"}},
		"Not ready: bucket b: denied; queue: gone":                            {faults: map[string]string{"queue": "gone", "bucket b": "denied"}, status: live.Status{Totals: many}},
		"Waiting until this passes: no space left on device: 1 to be retried": {status: live.Status{Waiting: &live.Waiting{Reason: "no space left on device"}, Failures: []live.Failure{failure(false)}}},
	} {
		got := render(page.Config{Faults: tc.faults}, tc.status)
		if !strings.Contains(got, ">"+want+"</span></p>") || !strings.Contains(got, "<title>"+want+" – bucketsum</title>") {
			t.Errorf("got %s\nwant %s", regexp.MustCompile(`<p id="state".*`).FindString(got), want)
		}
	}
}

// TestStateOfMany expects an estimate from the results of the last seconds, unless others take from the queue, too.
func TestStateOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		time.Sleep(time.Hour)
		for i := range 20 {
			a.Status()
			livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object(fmt.Sprint(i), 1)))
			time.Sleep(500 * time.Millisecond)
		}
		s := a.Status()
		s.InWorkCount, s.Waiting = 10, &live.Waiting{Count: 590, Bound: live.Exactly}
		if got := render(page.Config{}, s); !strings.Contains(got, "590 waiting, about 5 min left") {
			t.Errorf("state is %s", regexp.MustCompile(`<p id="state".*`).FindString(got))
		}
		s.Waiting.Shared = true
		if got := render(page.Config{}, s); !strings.Contains(got, "590 waiting</span>") {
			t.Errorf("state is %s", regexp.MustCompile(`<p id="state".*`).FindString(got))
		}
	})
}

// TestResults selects results, and folds deletions into one row.
func TestResults(t *testing.T) {
	a := live.NewActivity()
	for _, key := range []string{"photos/Cat.jpg", "dog.jpg", "cat.txt"} {
		livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object(key, 1)))
	}
	for i := range 7 {
		livetest.Publish(t, a, livetest.Result(pipeline.Removed, livetest.Object(fmt.Sprint("old", i), 1)))
	}
	count := func(q page.Query) (rows, folded int) {
		html := render(page.Config{Query: q}, a.Status())
		_, html, _ = strings.Cut(html, `<ol id="results"`)
		html, _, _ = strings.Cut(html, "</ol>")
		folded = strings.Count(html, "record removed")
		if before, after, is := strings.Cut(html, "<details"); is {
			_, after, _ = strings.Cut(after, "</details>")
			html = before + after
		}
		return strings.Count(html, "<li>"), folded
	}
	for q, want := range map[page.Query][2]int{
		{}:                                      {4, 7},
		{Outcome: "recorded"}:                   {3, 0},
		{Outcome: "deleted"}:                    {7, 7},
		{Outcome: "mismatch"}:                   {0, 0},
		{Text: "CAT"}:                           {2, 0},
		{Text: "inbox/dog"}:                     {1, 0},
		{Text: livetest.Sum("dog.jpg")[:9]}:     {1, 0},
		{Text: "old3"}:                          {1, 1},
		{Outcome: "recorded", Text: "old"}:      {0, 0},
		{Outcome: "no such thing", Text: "dog"}: {1, 0},
	} {
		if rows, folded := count(q); rows != want[0] || folded != want[1] {
			t.Errorf("%+v: %d rows, %d deletions; want %d", q, rows, folded, want)
		}
	}
	if html := render(page.Config{Query: page.Query{Text: `"><script>`}}, a.Status()); !strings.Contains(html, `value="&#34;&gt;&lt;script&gt;"`) {
		t.Error("the search is not escaped")
	}
}

// TestFailures expects failures by their kind, with a remedy, and a selection that matches these dead letters only.
func TestFailures(t *testing.T) {
	a := live.NewActivity()
	keys := []string{"plain", "a/b", "odd*?[x]{y},\\z", "*"}
	for _, key := range keys {
		livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, key, fmt.Errorf("open %s: %w", key, fs.ErrPermission)))
	}
	livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "later", errors.New("timeout")))
	got := render(page.Config{Actions: page.OpenActions, DeadLetters: true}, a.Status())
	for _, want := range []string{`Access is refused <span class="count">4</span>`, `Let the worker read`, `Other reasons <span class="count">1</span>`} {
		if !strings.Contains(got, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	found := regexp.MustCompile(`data-action="redrive" data-match="([^"]*)"`).FindAllStringSubmatch(got, -1)
	if len(found) != 1 {
		t.Fatalf("there are %d buttons to retry, want one: what is retried anyway needs none", len(found))
	}
	var texts []string
	if err := json.Unmarshal([]byte(html.UnescapeString(found[0][1])), &texts); err != nil {
		t.Fatal(err)
	}
	match, err := redrive.ParseMatch(texts)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"plain": true, "a/b": true, "*": true, keys[2]: true, "other": false, "x/plain": false, "later": false} {
		if match.Selects("", livetest.Object(key, 1)) != want {
			t.Errorf("the selection %q matches %q: %v, want %v", texts, key, !want, want)
		}
	}
	if !strings.Contains(got, `<span hidden data-acts> Then retry.</span>`) {
		t.Error("the advice does not name the button")
	}
	if got := render(page.Config{}, a.Status()); strings.Contains(got, `data-action="`) || strings.Contains(got, "retry.") {
		t.Error("there are buttons, or advice to use them, without actions")
	}
}

// TestPlots expects the numbers of each plot as text.
func TestPlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := live.NewActivity()
		for range 3 {
			livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "a", errors.New("timeout")))
		}
		soon := livetest.Result(pipeline.Recorded, livetest.Object("soon", 1))
		soon.Event.Time = time.Now().Add(-300 * time.Millisecond)
		livetest.Publish(t, a, soon)
		time.Sleep(time.Minute)
		livetest.End(t, a, livetest.Delivery(pipeline.DeadLettered, "a", errors.New("timeout")))
		got := render(page.Config{}, a.Status())
		for _, want := range []string{
			`aria-label="Failed attempts: 4 in the last hour, at most 3 (1 min ago), now 1"`, `M232 40v-40.0h3v40.0zM236 40v-13.3h3v13.3z`,
			`aria-label="Read each minute: nothing in the last hour"`, `aria-label="Longest wait: &lt; 1 s (1 min ago)"`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("page lacks %s", want)
			}
		}
	})
}

// TestFirst expects the command that makes the first result.
func TestFirst(t *testing.T) {
	got := render(page.Config{Flow: page.Flow{First: "cp FILE ./inbox/"}}, live.Status{})
	if !strings.Contains(got, "Type <code>cp FILE ./inbox/</code>") {
		t.Error("an empty page does not say what to do")
	}
}

// TestFlow expects counts that mean one thing each.
func TestFlow(t *testing.T) {
	s := live.Status{Totals: live.Totals{Summed: 2, Bytes: 10, Failed: 1}}
	for want, f := range map[string]page.Flow{"since the start": {}, "left": {Mended: true}} {
		got := render(page.Config{Flow: f}, s)
		for _, want := range []string{"<b>2</b> summed", "<b>1</b> " + want} {
			if !strings.Contains(got, want) {
				t.Errorf("page lacks %s", want)
			}
		}
	}
}
