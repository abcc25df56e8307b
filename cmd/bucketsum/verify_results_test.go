package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sdk "github.com/cloudevents/sdk-go/v2/event"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// announcing is an SQS with a queue of results, which refuses messages while it is down, and a queue of events.
type announcing struct {
	down           atomic.Bool
	events, result string // URLs
	client         *sqs.Client
}

func newAnnouncing(t *testing.T) *announcing {
	t.Helper()
	a, fake := &announcing{}, sqstest.NewServer()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if a.down.Load() && strings.Contains(r.Header.Get("X-Amz-Target"), "SendMessage") && bytes.Contains(body, []byte("/results")) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a.client = sqs.New(sqs.Options{
		Region: awsenv.Region, BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
	})
	for name, url := range map[string]*string{"events": &a.events, "results": &a.result} {
		if _, err := a.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "2"}}); err != nil {
			t.Fatal(err)
		}
		*url = awsenv.QueueURL(t, sqstest.QueueURL(name), "awssqs") + "&waittime=1s&endpoint=" + server.URL
	}
	return a
}

// announced returns the events in the queue of results, and removes them.
func (a *announcing) announced(t *testing.T) (all []sdk.Event) {
	t.Helper()
	url := aws.String(sqstest.QueueURL("results"))
	for {
		out, err := a.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			var e sdk.Event
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatalf("%v: %s", err, *m.Body)
			}
			all = append(all, e)
			if _, err := a.client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// isMismatch asserts that one mismatch was announced: that of b.
func (a *announcing) isMismatch(t *testing.T, pass string) {
	t.Helper()
	all := a.announced(t)
	if len(all) != 1 || all[0].Type() != cloudevents.TypeMismatch {
		t.Fatalf("announced %v, want one mismatch", all)
	}
	var data cloudevents.Data
	if err := all[0].DataAs(&data); err != nil {
		t.Fatal(err)
	}
	if data.Bucket != "inbox" || data.Key != "b" || data.SourceEventID != pass || data.Checksums["md5"] != "b2c220dc3f9997b0421252a273c88234" ||
		len(data.VerifiedAgainst) != 1 || data.VerifiedAgainst[0].Claim != "record" || data.VerifiedAgainst[0].Computed != data.Checksums["md5"] {
		t.Errorf("data %+v", data)
	}
}

// rotten returns a bucket with records in which the content of b is no longer what was recorded.
func rotten(t *testing.T) (bucket, reports string) {
	t.Helper()
	dir, bucket := bucketOf(t, map[string]string{"a": "content a", "b": "content b", "c": "content c"})
	if _, log, status := sweepRun(t, "backfill", bucket); status != exitOK {
		t.Fatal(log)
	}
	was, err := os.Stat(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "b"), "c0ntent b")
	if err := os.Chtimes(filepath.Join(dir, "b"), was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	_, reports = bucketOf(t, map[string]string{"keep": ""})
	return bucket, reports
}

// TestVerifyAnnouncesMismatch: verify --results announces a mismatch once. While the queue of results is down, the object has no
// row, the exit status says that not all could be checked, and the next run of the pass announces it.
func TestVerifyAnnouncesMismatch(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	bucket, reports := rotten(t)
	args := []string{"verify", "--results", a.result, "--reports", reports, "--pass", "audit", bucket}
	a.down.Store(true)
	out, log, status := sweepRun(t, args...)
	if status != exitUsage || strings.Contains(out, "mismatch") || !strings.Contains(log, "not announced") || !strings.Contains(log, "its record says md5") {
		t.Errorf("while the results are down it ends with %d, want 2:\n%s%s", status, out, log)
	}
	a.down.Store(false)
	for run, want := range []bool{true, false} {
		out, log, status = sweepRun(t, args...)
		if status != exitFailed || !strings.HasPrefix(out, "mismatch    b") || !strings.Contains(log, "1 of 3 objects needs attention.") {
			t.Errorf("run %d ends with %d:\n%s%s", run, status, out, log)
		}
		if want {
			a.isMismatch(t, "audit")
		} else if all := a.announced(t); len(all) > 0 {
			t.Errorf("a pass that is shown again announces %v", all)
		}
	}
}

// TestWorkersAnnounceMismatch: in a pass by workers, these announce the mismatch to their --results. While their queue is down,
// the shard has no report, and is tried again.
func TestWorkersAnnounceMismatch(t *testing.T) {
	t.Parallel()
	a := newAnnouncing(t)
	bucket, reports := rotten(t)
	a.down.Store(true)
	s := serve(t, nil, "--queue", a.events, "--results", a.result, "--reports", reports, "--bucket", bucket)
	type end struct {
		out, log string
		status   int
	}
	ended := make(chan end, 1)
	go func() {
		out, log, status := sweepRun(t, "verify", "--queue", a.events, "--reports", reports, "--pass", "audit", bucket)
		ended <- end{out, log, status}
	}()
	s.until("not announced")
	select {
	case e := <-ended:
		t.Fatalf("it has not waited: %+v", e)
	default:
	}
	a.down.Store(false)
	if e := <-ended; e.status != exitFailed || !strings.HasPrefix(e.out, "mismatch    b") {
		t.Errorf("it ends with %d:\n%s%s", e.status, e.out, e.log)
	}
	a.isMismatch(t, "audit")
}
