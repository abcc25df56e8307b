package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsclient "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// TestRedriveKilled kills redrive when it has sent some messages, on SQS before it could delete one of them, and starts
// it again: all messages arrive, and none is left.
func TestRedriveKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers")
	}
	t.Parallel()
	t.Run("awssqs", func(t *testing.T) {
		server := sqstest.NewServer()
		from, to := sqsQueues(t, server)
		server.Inject(sqstest.Fault{Action: "DeleteMessageBatch", Silent: true})
		testRedriveKilled(t, from, from, to, 10, server.Heal)
	})
	t.Run("jetstream", func(t *testing.T) {
		urls := jetstreamServer(t).urls(t, "killed")
		testRedriveKilled(t, urls.deadLetters, urls.letters, urls.queue, 50, func() {})
	})
	t.Run("amqp", func(t *testing.T) {
		urls := rabbitServer(t).urls(t, "killed")
		testRedriveKilled(t, urls.deadLetters, urls.letters, urls.queue, 50, func() {})
	})
}

// sqsQueues returns the URLs of two queues of a server.
func sqsQueues(t *testing.T, server *sqstest.Server) (from, to string) {
	t.Helper()
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	client := sqsclient.New(sqsclient.Options{
		Region: awsenv.Region, BaseEndpoint: &front.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	var urls [2]string
	for i, name := range []string{"failed", "objects"} {
		_, err := client.CreateQueue(t.Context(), &sqsclient.CreateQueueInput{QueueName: aws.String(name), Attributes: map[string]string{"VisibilityTimeout": "4"}})
		if err != nil {
			t.Fatal(err)
		}
		urls[i] = "awssqs" + strings.TrimPrefix(sqstest.QueueURL(name), "https") + "?waittime=1s&endpoint=" + front.URL
	}
	return urls[0], urls[1]
}

func testRedriveKilled(t *testing.T, letters, from, to string, sent int, heal func()) {
	const n = 2000
	openQueue(t, to)
	openQueue(t, from)
	var bodies []string
	all := make([]deadLetter, n)
	for i := range all {
		all[i] = deadLetter{created("photos", fmt.Sprint("key-", i)), "access denied"}
		bodies = append(bodies, all[i].body)
	}
	sendTo(t, letters, all...)

	first := start(t, "redrive", "--from", from, "--to", to, "--quiet", "--wait", redriveWait)
	for countOf(t, to).Waiting < sent { // quickly, because it does not take long
		select {
		case <-first.Lines: // it prints nothing before its end
			t.Fatalf("redrive ended before it had sent %d messages: %q", sent, first.Output())
		default:
		}
	}
	first.Stop(syscall.SIGKILL)
	if c := countOf(t, from); c.Waiting+c.Held == 0 {
		t.Fatal("nothing was left when redrive was killed: the test shows nothing")
	}
	heal()
	// What the killed redrive held comes back when its lease ends; a loaded server takes seconds more.
	redriven(t, exitOK, "--from", from, "--to", to, "--wait", "25s")
	if got := takeFrom(t, to, bodies...); len(got) != n {
		t.Errorf("%d messages arrived, want %d", len(got), n)
	}
	if c := countOf(t, from); c.Waiting+c.Held > 0 {
		t.Errorf("left: %+v", c)
	}
}

func countOf(t *testing.T, url string) queue.Count {
	t.Helper()
	c, err := traitsOf(url).Count(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
