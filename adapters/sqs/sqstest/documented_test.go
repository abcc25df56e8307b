package sqstest_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
)

// These tests cover what AWS documents and other stand-ins lack.

func create(t *testing.T, c *sqs.Client, name string, attributes map[string]string) string {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
}

func send(t *testing.T, c *sqs.Client, url, body string) {
	t.Helper()
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c *sqs.Client, url string) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func one(t *testing.T, c *sqs.Client, url string) types.Message {
	t.Helper()
	ms := receive(t, c, url)
	if len(ms) != 1 {
		t.Fatalf("%d messages received from %s, want 1", len(ms), url)
	}
	return ms[0]
}

func extend(t *testing.T, c *sqs.Client, url string, m types.Message, seconds int32) error {
	t.Helper()
	_, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds,
	})
	return err
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestHeldForTwelveHoursAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		url := create(t, c, "q", nil)
		send(t, c, url, "a")
		m := one(t, c, url)
		if err := extend(t, c, url, m, 43200); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Hour)
		if err := extend(t, c, url, m, 3601); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("beyond 12 hours: %v", err)
		}
		if err := extend(t, c, url, m, 3600); err != nil {
			t.Errorf("up to 12 hours: %v", err)
		}
		time.Sleep(time.Hour)
		if again := one(t, c, url); again.Attributes["ApproximateReceiveCount"] != "2" {
			t.Errorf("receive count is %s", again.Attributes["ApproximateReceiveCount"])
		}
	})
}

func TestHandleOfAnEarlierReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		url := create(t, c, "q", map[string]string{"VisibilityTimeout": "10"})
		send(t, c, url, "a")
		first := one(t, c, url)
		time.Sleep(10 * time.Second)
		if err := extend(t, c, url, first, 10); codeOf(err) != "AWS.SimpleQueueService.MessageNotInflight" {
			t.Errorf("extend a visible message: %v", err)
		}
		second := one(t, c, url)
		if err := extend(t, c, url, first, 10); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("extend a message that was received again: %v", err)
		}
		for _, m := range []types.Message{first, second} {
			if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Errorf("delete: %v", err)
			}
			// The handle of the first receive deletes nothing.
			if err := extend(t, c, url, second, 10); (err == nil) != (m.ReceiptHandle == first.ReceiptHandle) {
				t.Errorf("extend after a delete: %v", err)
			}
		}
	})
}

func TestFIFOHandleThatRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		url := create(t, c, "q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
		_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a"), MessageGroupId: aws.String("g")})
		if err != nil {
			t.Fatal(err)
		}
		m := one(t, c, url)
		time.Sleep(31 * time.Second)
		_, err = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		if codeOf(err) != "InvalidParameterValue" {
			t.Errorf("delete: %v", err)
		}
		time.Sleep(5 * time.Minute) // a duplicate counts as a new message by now
		_, err = c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a"), MessageGroupId: aws.String("g")})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(receive(t, c, url)); n != 2 {
			t.Errorf("%d messages, want 2", n)
		}
	})
}

func TestMoveTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		dead := create(t, c, "dead", nil)
		url := create(t, c, "q", map[string]string{
			"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":"1"}`,
		})
		const n = 6
		for i := range n {
			send(t, c, url, strconv.Itoa(i))
		}
		for _, m := range receive(t, c, url) {
			extend(t, c, url, m, 0)
		}
		if ms := receive(t, c, url); len(ms) > 0 {
			t.Fatalf("%d messages are left", len(ms))
		}
		source := aws.String("arn:aws:sqs:us-east-1:123456789012:dead")
		_, err := c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: source, MaxNumberOfMessagesPerSecond: aws.Int32(2)})
		if err != nil {
			t.Fatal(err)
		}
		status := func() types.ListMessageMoveTasksResultEntry {
			t.Helper()
			out, err := c.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: source})
			if err != nil || len(out.Results) != 1 {
				t.Fatal(out, err)
			}
			return out.Results[0]
		}
		if _, err := c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: source}); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("a second task: %v", err)
		}
		time.Sleep(2 * time.Second)
		if s := status(); *s.Status != "RUNNING" || s.ApproximateNumberOfMessagesMoved != 4 || *s.ApproximateNumberOfMessagesToMove != n {
			t.Errorf("after 2 s: %s, %d of %d moved", *s.Status, s.ApproximateNumberOfMessagesMoved, *s.ApproximateNumberOfMessagesToMove)
		}
		time.Sleep(time.Second)
		if s := status(); *s.Status != "COMPLETED" || s.ApproximateNumberOfMessagesMoved != n {
			t.Errorf("after 3 s: %s, %d moved", *s.Status, s.ApproximateNumberOfMessagesMoved)
		}
		ms := receive(t, c, url)
		if len(ms) != n || ms[0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("%d messages are back", len(ms))
		}
		if ms := receive(t, c, dead); len(ms) > 0 {
			t.Errorf("%d dead letters are left", len(ms))
		}
		missing := aws.String("arn:aws:sqs:us-east-1:123456789012:none")
		if _, err := c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: missing}); codeOf(err) != "ResourceNotFoundException" {
			t.Errorf("from a queue that is not there: %v", err)
		}
		notDead := aws.String("arn:aws:sqs:us-east-1:123456789012:q")
		if _, err := c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: notDead}); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("from a queue that is no dead-letter queue: %v", err)
		}
	})
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := sqstest.NewServer()
		c := newClient(server)
		url := create(t, c, "q", nil)
		once := func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }
		sendOnce := func() error {
			_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("a")}, once)
			return err
		}
		server.Inject(sqstest.Throttling(time.Minute))
		if err := sendOnce(); codeOf(err) != "RequestThrottled" {
			t.Errorf("within the minute: %v", err)
		}
		time.Sleep(time.Minute)
		if err := sendOnce(); err != nil {
			t.Errorf("after the minute: %v", err)
		}
		server.Inject(sqstest.Fault{Action: "SendMessage", Times: 2})
		send(t, c, url, "b") // the SDK tries three times
		if n := server.Calls("SendMessage"); n != 5 {
			t.Errorf("%d calls, want 5", n)
		}
		server.Inject(sqstest.Fault{Action: "DeleteMessageBatch", Entries: 1, Times: 1})
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &url}
		for i, m := range receive(t, c, url) {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		out, err := c.DeleteMessageBatch(t.Context(), in)
		if err != nil || len(out.Failed) != 1 || len(out.Successful) != 1 || *out.Failed[0].Id != "0" || out.Failed[0].SenderFault {
			t.Errorf("outcome %+v, error %v", out, err)
		}
		server.Inject(sqstest.Fault{})
		if err := sendOnce(); codeOf(err) != "InternalFailure" {
			t.Errorf("with a fault without an end: %v", err)
		}
		server.Heal()
		if err := sendOnce(); err != nil {
			t.Errorf("healed: %v", err)
		}
		if server.Calls("") <= server.Calls("SendMessage") {
			t.Error("calls of all actions are not more than those of one")
		}
	})
}

func TestQueueDeletedAndMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		url := create(t, c, "q", nil)
		send(t, c, url, "a")
		m := one(t, c, url)
		waiting := make(chan error, 1)
		go func() {
			_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			waiting <- err
		}()
		synctest.Wait()
		if _, err := c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &url}); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; codeOf(err) != "AWS.SimpleQueueService.NonExistentQueue" {
			t.Errorf("a receive that was waiting: %v", err)
		}
		_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
		if codeOf(err) != "AWS.SimpleQueueService.QueueDeletedRecently" {
			t.Errorf("at once: %v", err)
		}
		time.Sleep(time.Minute)
		create(t, c, "q", nil)
		if err := extend(t, c, url, m, 10); codeOf(err) != "ReceiptHandleIsInvalid" {
			t.Errorf("a handle from before: %v", err)
		}
	})
}

func TestMessagesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(sqstest.NewServer())
		url := create(t, c, "q", map[string]string{"MessageRetentionPeriod": "60"})
		send(t, c, url, "a")
		time.Sleep(time.Minute)
		if ms := receive(t, c, url); len(ms) > 0 {
			t.Errorf("%d messages after their retention period", len(ms))
		}
	})
}

func TestContentRefused(t *testing.T) {
	c := newClient(sqstest.NewServer())
	url := create(t, c, "q", nil)
	str := func(v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
	}
	eleven := make(map[string]types.MessageAttributeValue)
	for i := range 11 {
		eleven[fmt.Sprint("a", i)] = str("x")
	}
	for name, in := range map[string]struct {
		body       string
		attributes map[string]types.MessageAttributeValue
		code       string
	}{
		"empty body":         {"", nil, "MissingParameter"},
		"control character":  {"a\x00", nil, "InvalidMessageContents"},
		"eleven attributes":  {"a", eleven, "InvalidParameterValue"},
		"empty value":        {"a", map[string]types.MessageAttributeValue{"a": str("")}, "InvalidParameterValue"},
		"control in value":   {"a", map[string]types.MessageAttributeValue{"a": str("\x01")}, "InvalidParameterValue"},
		"reserved name":      {"a", map[string]types.MessageAttributeValue{"AWS.a": str("x")}, "InvalidParameterValue"},
		"space in name":      {"a", map[string]types.MessageAttributeValue{"a b": str("x")}, "InvalidParameterValue"},
		"unknown type":       {"a", map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Int"), StringValue: aws.String("1")}}, "InvalidParameterValue"},
		"binary without one": {"a", map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Binary")}}, "InvalidParameterValue"},
		"too long":           {strings.Repeat("x", 1<<20+1), nil, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &in.body, MessageAttributes: in.attributes})
			if codeOf(err) != in.code {
				t.Errorf("error is %v, want code %s", err, in.code)
			}
		})
	}
}

func TestQueueRefused(t *testing.T) {
	c := newClient(sqstest.NewServer())
	create(t, c, "q", map[string]string{"DelaySeconds": "1"})
	for name, in := range map[string]*sqs.CreateQueueInput{
		"InvalidAttributeName":  {QueueName: aws.String("a"), Attributes: map[string]string{"Colour": "red"}},
		"InvalidAttributeValue": {QueueName: aws.String("a"), Attributes: map[string]string{"VisibilityTimeout": "43201"}},
		"InvalidParameterValue": {QueueName: aws.String("a.fifo")},
		"QueueAlreadyExists":    {QueueName: aws.String("q"), Attributes: map[string]string{"DelaySeconds": "2"}},
	} {
		if _, err := c.CreateQueue(t.Context(), in); codeOf(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, policy := range []string{"{", `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:none","maxReceiveCount":1}`} {
		_, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("a"), Attributes: map[string]string{"RedrivePolicy": policy}})
		if codeOf(err) != "InvalidParameterValue" {
			t.Errorf("redrive policy %s: %v", policy, err)
		}
	}
	for _, name := range []string{"", "a b", strings.Repeat("a", 81)} {
		if _, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name}); codeOf(err) != "InvalidParameterValue" {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := c.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: aws.String(sqstest.QueueURL("q"))}); codeOf(err) != "InvalidAction" {
		t.Errorf("an action that is left out: %v", err)
	}
}
