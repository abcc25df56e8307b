package sqs_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in a synctest bubble.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t)
		// gocloud sleeps for a moment after an empty receive, even if its
		// subscription is shut down.
		time.Sleep(time.Second)
	})
}

// bench is a server, a client of the test's own, and what a driver under test gets.
type bench struct {
	t      *testing.T
	server *sqstest.Server
	client *sdk.Client
	load   func(context.Context, url.Values) (aws.Config, error)
	log    *lockedBuffer
}

func newBench(t *testing.T) *bench {
	server := sqstest.NewServer()
	return &bench{
		t: t, server: server, client: sdk.NewFromConfig(configOf(server)), log: new(lockedBuffer),
		load: func(context.Context, url.Values) (aws.Config, error) { return configOf(server), nil },
	}
}

func configOf(transport http.RoundTripper) aws.Config {
	return aws.Config{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		HTTPClient: &http.Client{Transport: transport},
	}
}

// lockedBuffer is a log for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// driver returns a driver that talks to the bench's server.
func (b *bench) driver() *sqs.Driver {
	return &sqs.Driver{LoadConfig: b.load, Log: slog.New(slog.NewTextHandler(b.log, nil))}
}

// create creates a queue with a dead-letter queue and returns its URL under a
// scheme.
func (b *bench) create(scheme, name string, attributes map[string]string) string {
	b.t.Helper()
	suffix := ""
	all := map[string]string{"VisibilityTimeout": "60"}
	if strings.HasSuffix(name, ".fifo") {
		all["FifoQueue"], suffix = "true", ".fifo"
	}
	dead := map[string]string{}
	for k, v := range all {
		dead[k] = v
	}
	deadName := strings.TrimSuffix(name, suffix) + "-dead" + suffix
	b.createQueue(deadName, dead)
	all["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:%s","maxReceiveCount":10}`, deadName)
	for k, v := range attributes {
		all[k] = v
	}
	return scheme + strings.TrimPrefix(b.createQueue(name, all), "https")
}

func (b *bench) createQueue(name string, attributes map[string]string) string {
	b.t.Helper()
	out, err := b.client.CreateQueue(context.Background(), &sdk.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		b.t.Fatal(err)
	}
	return *out.QueueUrl
}

func queueURL(ours string) *string {
	u, _ := url.Parse(ours)
	u.Scheme, u.RawQuery = "https", ""
	return aws.String(u.String())
}

func (b *bench) send(ours string, bodies ...string) {
	b.t.Helper()
	for _, body := range bodies {
		in := &sdk.SendMessageInput{QueueUrl: queueURL(ours), MessageBody: &body}
		if strings.Contains(ours, ".fifo") {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(body[:1]), &body
		}
		if _, err := b.client.SendMessage(context.Background(), in); err != nil {
			b.t.Fatal(err)
		}
	}
}

// receive receives one message as another worker would, and waits for it.
func (b *bench) receive(ours string, visibility int32) types.Message {
	b.t.Helper()
	for range 100 {
		out, err := b.client.ReceiveMessage(context.Background(), &sdk.ReceiveMessageInput{
			QueueUrl: queueURL(ours), WaitTimeSeconds: 20, VisibilityTimeout: visibility,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(out.Messages) > 0 {
			return out.Messages[0]
		}
	}
	b.t.Fatal("nothing received")
	return types.Message{}
}

// counts returns how many messages are visible and how many in flight.
func (b *bench) counts(ours string) string {
	b.t.Helper()
	out, err := b.client.GetQueueAttributes(context.Background(), &sdk.GetQueueAttributesInput{
		QueueUrl: queueURL(ours), AttributeNames: []types.QueueAttributeName{"All"},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%s visible, %s in flight",
		out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesNotVisible"])
}

// worker subscribes to one queue.
type worker struct {
	t          *testing.T
	messages   <-chan *message.Message
	subscriber *queue.Subscriber
}

func (b *bench) worker(ours string, c queue.Config) *worker {
	b.t.Helper()
	c.Log = slog.New(slog.NewTextHandler(b.log, nil))
	s, err := queue.NewSubscriber(b.driver(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	w := &worker{t: b.t, subscriber: s}
	if w.messages, err = s.Subscribe(context.Background(), ours); err != nil {
		b.t.Fatal(err)
	}
	return w
}

func (w *worker) close() {
	w.t.Helper()
	if err := w.subscriber.Close(); err != nil {
		w.t.Error(err)
	}
}

// next waits for a message.
func (w *worker) next() *message.Message {
	w.t.Helper()
	select {
	case m, ok := <-w.messages:
		if !ok {
			w.t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(24 * time.Hour): // of a bubble's time
		w.t.Fatal("no message comes")
	}
	return nil
}

// none checks that no message comes within a time.
func (w *worker) none(d time.Duration) {
	w.t.Helper()
	select {
	case m, ok := <-w.messages:
		if ok {
			w.t.Errorf("message %q comes", m.Payload)
		}
	case <-time.After(d):
	}
}
