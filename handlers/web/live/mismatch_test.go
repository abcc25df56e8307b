package live_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func checked(r pipeline.Result, outcomes ...digest.Outcome) pipeline.Result {
	for _, o := range outcomes {
		r.Record.Checks = append(r.Record.Checks, pipeline.Check{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: o}})
	}
	return r
}

func TestActivityOfChecks(t *testing.T) {
	a := live.NewActivity()
	livetest.Publish(t, a, checked(livetest.Result(pipeline.Recorded, livetest.Object("both", 10)), digest.Match, digest.Match))
	livetest.Publish(t, a, checked(livetest.Result(pipeline.Recorded, livetest.Object("one", 10)), digest.Unchecked, digest.Match, digest.Unchecked))
	livetest.Publish(t, a, checked(livetest.Result(pipeline.Recorded, livetest.Object("none", 10)), digest.Unchecked))
	livetest.Publish(t, a, livetest.Result(pipeline.Recorded, livetest.Object("nothing", 10)))
	livetest.Publish(t, a, checked(livetest.Result(pipeline.Current, livetest.Object("both", 10)), digest.Match)) // not compared again
	shown := func() string { return string(page.Render(page.Config{Live: true}, a.Status())) }
	if strings.Contains(shown(), "Not as claimed") {
		t.Error("page tells of a mismatch")
	}
	rotten := checked(livetest.Result(pipeline.Mismatch, livetest.Object("rotten", 10)), digest.Match, digest.Mismatch)
	rotten.Record.Digests = map[string]string{"md5": livetest.Sum("")}
	livetest.Publish(t, a, rotten)

	want := live.Totals{Summed: 4, Bytes: 40, Current: 1, Verified: 2, Mismatched: 1, Unchecked: 3}
	if diff := cmp.Diff(want, a.Status().Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	html := shown()
	for _, want := range []string{"<b>1</b> not as claimed", `<strong class="badge">not as claimed</strong>`, livetest.Sum("")} {
		if !strings.Contains(html, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	if first := a.Status().Results[0]; first.Outcome != "mismatch" || *first.Size != 10 || first.Digests["md5"] != livetest.Sum("") {
		t.Errorf("result %+v", first)
	}
}
