package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
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
	a := web.NewActivity()
	publish(t, a, checked(result(pipeline.Recorded, object("both", 10)), digest.Match, digest.Match))
	publish(t, a, checked(result(pipeline.Recorded, object("one", 10)), digest.Unchecked, digest.Match, digest.Unchecked))
	publish(t, a, checked(result(pipeline.Recorded, object("none", 10)), digest.Unchecked))
	publish(t, a, result(pipeline.Recorded, object("nothing", 10)))
	publish(t, a, checked(result(pipeline.Current, object("both", 10)), digest.Match)) // not compared again
	s := start(t, web.Config{Status: a.Status})
	if _, html := s.get(t, "/"); strings.Contains(html, "Not as claimed") {
		t.Error("page tells of a mismatch")
	}
	rotten := checked(result(pipeline.Mismatch, object("rotten", 10)), digest.Match, digest.Mismatch)
	rotten.Record.Digests = map[string]string{"md5": sumOf(nil)}
	publish(t, a, rotten)

	want := web.Totals{Summed: 4, Bytes: 40, Current: 1, Verified: 2, Mismatched: 1, Unchecked: 3}
	if diff := cmp.Diff(want, a.Status().Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	_, html := s.get(t, "/")
	for _, want := range []string{"<dt>Not as claimed</dt><dd>1</dd>", "not what its store claims", sumOf(nil)} {
		if !strings.Contains(html, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	var status web.Status
	_, body := s.get(t, "/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	if first := status.Results[0]; first.Outcome != "mismatch" || *first.Size != 10 || first.Digests["md5"] != sumOf(nil) {
		t.Errorf("result %+v", first)
	}
}
