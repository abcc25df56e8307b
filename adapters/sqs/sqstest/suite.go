package sqstest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// TestServer tests that a server behaves as SQS does. run gives each test a client and
// runs it as the server needs it: in a synctest bubble, or in parallel. Each test makes
// its own queues.
//
// The tests cover what SQS documents and stand-ins agree about. Times are the shortest
// that SQS has: 1 s.
func TestServer(t *testing.T, run func(t *testing.T, test func(*testing.T, *sqs.Client))) {
	for name, test := range map[string]func(*testing.T, queueTest){
		"SendReceiveDelete":   testSendReceiveDelete,
		"Attributes":          testAttributes,
		"SystemAttributes":    testSystemAttributes,
		"VisibilityRunsOut":   testVisibilityRunsOut,
		"VisibilityExtended":  testVisibilityExtended,
		"VisibilityZero":      testVisibilityZero,
		"LongPoll":            testLongPoll,
		"Delay":               testDelay,
		"Redrive":             testRedrive,
		"BatchFailsInPart":    testBatchFailsInPart,
		"BatchRefused":        testBatchRefused,
		"InvalidHandle":       testInvalidHandle,
		"MissingQueue":        testMissingQueue,
		"QueueAttributes":     testQueueAttributes,
		"Purge":               testPurge,
		"FIFOOrder":           testFIFOOrder,
		"FIFOGroups":          testFIFOGroups,
		"FIFODeduplication":   testFIFODeduplication,
		"FIFONeedsGroup":      testFIFONeedsGroup,
		"DeleteTwice":         testDeleteTwice,
		"InvalidSendRefused":  testInvalidSendRefused,
		"ListQueuesAndGetURL": testListQueuesAndGetURL,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, c *sqs.Client) {
				test(t, queueTest{t: t, c: c, name: strings.ToLower(name) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)})
			})
		})
	}
}

// queueTest is one test on one server.
type queueTest struct {
	t    *testing.T
	c    *sqs.Client
	name string
}

func testSendReceiveDelete(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "grüße\n\t{}")
	m := q.receiveOne(url, 30)
	if got := aws.ToString(m.Body); got != "grüße\n\t{}" {
		t.Errorf("body is %q", got)
	}
	q.empty(url) // the message is in flight
	a := q.attributes(url)
	if a["ApproximateNumberOfMessages"] != "0" || a["ApproximateNumberOfMessagesNotVisible"] != "1" {
		t.Errorf("%s messages and %s in flight, want 0 and 1", a["ApproximateNumberOfMessages"], a["ApproximateNumberOfMessagesNotVisible"])
	}
	q.delete(url, m)
	if got := q.attributes(url)["ApproximateNumberOfMessagesNotVisible"]; got != "0" {
		t.Errorf("%s in flight after the delete", got)
	}
}

func testAttributes(t *testing.T, q queueTest) {
	url := q.create("", nil)
	sent := map[string]types.MessageAttributeValue{
		"text":     {DataType: aws.String("String"), StringValue: aws.String("äöü 100%")},
		"number":   {DataType: aws.String("Number"), StringValue: aws.String("42")},
		"binary":   {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		"a.dotted": {DataType: aws.String("String"), StringValue: aws.String("x")},
	}
	out, err := q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"), MessageAttributes: sent})
	sum := must(t, out, err).MD5OfMessageAttributes
	m := q.receiveOne(url, 30)
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())
	if diff := cmp.Diff(sent, m.MessageAttributes, ignore); diff != "" {
		t.Errorf("attributes (-sent +received):\n%s", diff)
	}
	if aws.ToString(sum) == "" || aws.ToString(sum) != aws.ToString(m.MD5OfMessageAttributes) {
		t.Errorf("digest of the attributes is %q when sent, %q when received", aws.ToString(sum), aws.ToString(m.MD5OfMessageAttributes))
	}

	q.setVisibility(url, m, 0)
	some, err := q.c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MessageAttributeNames: []string{"number", "a.*"}})
	if must(t, some, err); len(some.Messages) != 1 || len(some.Messages[0].MessageAttributes) != 2 {
		t.Errorf("received %+v, want one message with the two attributes asked for", some.Messages)
	}
}

func testSystemAttributes(t *testing.T, q queueTest) {
	url := q.create("", nil)
	trace := "Root=1-5759e988-bd862e3fe1be46a994272793"
	before := time.Now().Add(-time.Second)
	out, err := q.c.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String("b"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &trace},
		},
	})
	must(t, out, err)
	m := q.receiveOne(url, 30)
	if got := m.Attributes["AWSTraceHeader"]; got != trace {
		t.Errorf("AWSTraceHeader is %q", got)
	}
	if receiveCount(m) != "1" {
		t.Errorf("receive count is %q", receiveCount(m))
	}
	millis, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if sent := time.UnixMilli(millis); err != nil || sent.Before(before) || sent.After(time.Now().Add(time.Second)) {
		t.Errorf("SentTimestamp is %q", m.Attributes["SentTimestamp"])
	}
}

func testVisibilityRunsOut(t *testing.T, q queueTest) {
	url := q.create("", map[string]string{"VisibilityTimeout": "1"})
	q.send(url, "a")
	first := q.receiveOne(url, 0)
	second := q.receiveOne(url, 30)
	if receiveCount(first) != "1" || receiveCount(second) != "2" {
		t.Errorf("receive counts are %s and %s", receiveCount(first), receiveCount(second))
	}
	if aws.ToString(first.MessageId) != aws.ToString(second.MessageId) || aws.ToString(first.ReceiptHandle) == aws.ToString(second.ReceiptHandle) {
		t.Error("want the same message under another handle")
	}
	q.delete(url, second)
}

func testVisibilityExtended(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "a")
	m := q.receiveOne(url, 1)
	q.setVisibility(url, m, 30)
	if ms := q.receive(url, 1, 1, 2); len(ms) > 0 { // longer than it was held at first
		t.Error("an extended message was received again")
	}
	q.delete(url, m)
}

func testVisibilityZero(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "a")
	q.setVisibility(url, q.receiveOne(url, 600), 0)
	if m := q.receiveOne(url, 30); receiveCount(m) != "2" {
		t.Errorf("receive count is %s, want 2", receiveCount(m))
	}
}

func testLongPoll(t *testing.T, q queueTest) {
	url := q.create("", nil)
	got := make(chan []types.Message, 1)
	go func() {
		out, err := q.c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 10})
		if err != nil {
			t.Error(err)
			out = &sqs.ReceiveMessageOutput{}
		}
		got <- out.Messages
	}()
	q.send(url, "late")
	if ms := <-got; len(ms) != 1 {
		t.Errorf("a waiting receive got %d messages", len(ms))
	}
}

func testDelay(t *testing.T, q queueTest) {
	url := q.create("", nil)
	out, err := q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("later"), DelaySeconds: 1})
	must(t, out, err)
	q.empty(url)
	q.receiveOne(url, 30)
}

func testRedrive(t *testing.T, q queueTest) {
	dead := q.create("-dead", nil)
	url := q.create("", map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, q.attributes(dead)["QueueArn"]),
	})
	q.send(url, "poison")
	for range 2 {
		q.setVisibility(url, q.receiveOne(url, 30), 0)
	}
	q.empty(url)
	if m := q.receiveOne(dead, 30); aws.ToString(m.Body) != "poison" {
		t.Errorf("the dead letter is %q", aws.ToString(m.Body))
	}
}

func testBatchFailsInPart(t *testing.T, q queueTest) {
	url := q.create("", nil)
	batch, err := q.c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("1")}, {Id: aws.String("b"), MessageBody: aws.String("2")},
	}})
	if must(t, batch, err); len(batch.Successful) != 2 || len(batch.Failed) != 0 {
		t.Fatalf("%d sent, %d failed", len(batch.Successful), len(batch.Failed))
	}
	var ms []types.Message
	for len(ms) < 2 {
		ms = append(ms, q.receiveOne(url, 30))
	}
	changed, err := q.c.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: &url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("good"), ReceiptHandle: ms[0].ReceiptHandle, VisibilityTimeout: 30},
			{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 30},
		},
	})
	if must(t, changed, err); len(changed.Successful) != 1 || len(changed.Failed) != 1 ||
		aws.ToString(changed.Failed[0].Id) != "bad" || aws.ToString(changed.Failed[0].Code) != "ReceiptHandleIsInvalid" || !changed.Failed[0].SenderFault {
		t.Errorf("outcome of the extensions is %+v", changed)
	}
	deleted, err := q.c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{
		QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense")},
			{Id: aws.String("good"), ReceiptHandle: ms[0].ReceiptHandle},
			{Id: aws.String("also"), ReceiptHandle: ms[1].ReceiptHandle},
		},
	})
	if must(t, deleted, err); len(deleted.Successful) != 2 || len(deleted.Failed) != 1 ||
		aws.ToString(deleted.Failed[0].Code) != "ReceiptHandleIsInvalid" {
		t.Errorf("outcome of the deletes is %+v", deleted)
	}
}

func testBatchRefused(t *testing.T, q queueTest) {
	url := q.create("", nil)
	send := func(ids ...string) error {
		in := &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{}}
		for _, id := range ids {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String("b")})
		}
		_, err := q.c.SendMessageBatch(t.Context(), in)
		return err
	}
	const p = "AWS.SimpleQueueService."
	wantCode(t, send(), p+"EmptyBatchRequest", "EmptyBatchRequest")
	wantCode(t, send("a", "a"), p+"BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct")
	wantCode(t, send("not valid"), p+"InvalidBatchEntryId", "InvalidBatchEntryId")
	wantCode(t, send(strings.Split("a b c d e f g h i j k", " ")...), p+"TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest")
	q.empty(url)
}

func testInvalidHandle(t *testing.T, q queueTest) {
	url := q.create("", nil)
	bad := aws.String("nonsense")
	_, err := q.c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: bad})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = q.c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: bad, VisibilityTimeout: 1})
	wantCode(t, err, "ReceiptHandleIsInvalid")

	q.send(url, "a")
	m := q.receiveOne(url, 30)
	_, err = q.c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 43201})
	wantCode(t, err, "InvalidParameterValue")
}

func testDeleteTwice(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "a")
	m := q.receiveOne(url, 30)
	q.delete(url, m)
	q.delete(url, m)
}

func testInvalidSendRefused(t *testing.T, q queueTest) {
	url := q.create("", map[string]string{"MaximumMessageSize": "1024"})
	_, err := q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(strings.Repeat("x", 1025))})
	wantCode(t, err, "InvalidParameterValue")
	_, err = q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x"), DelaySeconds: 901})
	wantCode(t, err, "InvalidParameterValue")
	q.empty(url)
}
