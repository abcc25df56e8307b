package aws_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/docpage"
	"github.com/bucketsum/bucketsum/testenv/program"
)

var backticked = regexp.MustCompile("`([^`]*)`")

// quoted returns the texts between backticks.
func quoted(cell string) []string {
	var all []string
	for _, m := range backticked.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// TestDocumentedPermissions compares the table of permissions with the policies: it must
// have every statement with all actions and, as far as a default pipeline has them, the
// resources.
func TestDocumentedPermissions(t *testing.T) {
	want, got := make(map[string][]string), make(map[string][]string)
	resources := make(map[string][]string)
	for _, cells := range append(docpage.Rows(t, "aws.md", "| statement | on |"), docpage.Rows(t, "aws.md", "| statement of reports | on |")...) {
		sid := quoted(cells[0])[0]
		got[sid], resources[sid] = quoted(cells[2]), quoted(cells[1])
		slices.Sort(got[sid])
	}
	for _, name := range pipelines {
		r := readRendered(t, name)
		policy, err := awsenv.ParsePolicy(r.Documents.WorkerPolicy)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range policy.Statement {
			sid := s.Sid
			if strings.HasPrefix(sid, "KeyOfBucket") {
				sid = "KeyOfBucket…"
			}
			want[sid] = slices.Compact(slices.Sorted(slices.Values(append(want[sid], s.Action...))))
			if name != "defaults" {
				continue
			}
			var on []string
			for _, bucket := range r.Documents.Names.Buckets {
				for _, resource := range resources[sid] {
					on = append(on, strings.NewReplacer("BUCKET", "arn:aws:s3:::"+bucket, "NAME", queueARN(name)).Replace(resource))
				}
			}
			slices.Sort(on)
			if diff := cmp.Diff(slices.Sorted(slices.Values(s.Resource)), slices.Compact(on)); diff != "" {
				t.Errorf("%s (-policy +documented):\n%s", sid, diff)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-policy +documented):\n%s", diff)
	}
}

// TestDocumentedCalls compares the table of calls per object with a worker: the calls to
// S3 must be exact, except for those at a worker's start, and the calls to SQS are upper
// bounds. Periodic calls do not count: receives without messages, and heartbeats.
func TestDocumentedCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("starts moto and processes of the AWS command line")
	}
	const objects, concurrency = 100, 8
	d := deploy(t, awsenv.StartMoto(t), readRendered(t, "defaults"))
	bucket := d.HelmValues.Buckets[1].Name
	for i := range objects {
		d.put(bucket, fmt.Sprint("small/", i), bytes.Repeat([]byte("x"), i), "")
	}
	gate := d.gate(d.session.AccessKeyID, d.policy)
	var received atomic.Int64 // receives that brought messages
	w := d.serve(d.session.as(gate.Open(t, countReceived(t, d.server, &received))), "--concurrency", fmt.Sprint(concurrency))
	w.Until(objects, program.Contains(`msg="object handled" outcome=recorded`))
	d.wait("the queue is empty", func() bool { return d.left(d.queue) == 0 })
	if status := w.Stop(syscall.SIGTERM); status != 0 {
		t.Errorf("exit status is %d", status)
	}
	counts := gate.Counts()
	t.Log(counts, "receives that brought messages:", received.Load())
	counts["sqs:ReceiveMessage"] = int(received.Load())
	delete(counts, "sqs:ChangeMessageVisibility")
	delete(counts, "sqs:ChangeMessageVisibilityBatch")
	documented := make(map[string]bool)
	for _, cells := range docpage.Rows(t, "aws.md", "| call | for each object |") {
		name, most := quoted(cells[0])[0], strings.HasPrefix(cells[1], "at most ")
		n, err := strconv.Atoi(strings.TrimPrefix(cells[1], "at most "))
		if err != nil {
			t.Fatal(err)
		}
		documented[name] = true
		// A probe of the store adds a few.
		if got := counts[name]; got == 0 || got > n*objects+3*concurrency || !most && got < n*objects {
			t.Errorf("%d of %s for %d objects, the table says %s for each", got, name, objects, cells[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !documented[name] && counts[name] > 3*concurrency {
			t.Errorf("%d of %s for %d objects, of which the table says nothing", counts[name], name, objects)
		}
	}
}

// countReceived returns a proxy before the server that counts the receives that return
// messages.
func countReceived(t *testing.T, server awsenv.Server, n *atomic.Int64) awsenv.Server {
	return server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("X-Amz-Target") != "AmazonSQS.ReceiveMessage" {
			next.ServeHTTP(w, r)
			return
		}
		got := httptest.NewRecorder()
		next.ServeHTTP(got, r)
		var answer struct{ Messages []json.RawMessage }
		if json.Unmarshal(got.Body.Bytes(), &answer) == nil && len(answer.Messages) > 0 {
			n.Add(1)
		}
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes()) // the worker may be gone
	})
}
