package sqstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// TestServer tests that a server behaves as SQS does. run runs one test of it as
// it needs (in a synctest bubble, or in parallel), with a client; the tests make
// queues of their own.
//
// It asks only what SQS documents and stand-ins of it agree about. Times are as
// short as SQS has them: 1 s.
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

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (q queueTest) create(suffix string, attributes map[string]string) string {
	q.t.Helper()
	out, err := q.c.CreateQueue(q.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(q.name + suffix), Attributes: attributes})
	return aws.ToString(must(q.t, out, err).QueueUrl)
}

func (q queueTest) send(url string, bodies ...string) {
	q.t.Helper()
	for _, b := range bodies {
		out, err := q.c.SendMessage(q.t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &b})
		must(q.t, out, err)
	}
}

func (q queueTest) sendTo(url, group, deduplication, body string) string {
	q.t.Helper()
	out, err := q.c.SendMessage(q.t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &deduplication,
	})
	return aws.ToString(must(q.t, out, err).MessageId)
}

func (q queueTest) receive(url string, n, visibility, wait int32) []types.Message {
	q.t.Helper()
	out, err := q.c.ReceiveMessage(q.t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: n, VisibilityTimeout: visibility, WaitTimeSeconds: wait,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	return must(q.t, out, err).Messages
}

// receiveOne waits for the message; a visibility of 0 is the queue's.
func (q queueTest) receiveOne(url string, visibility int32) types.Message {
	q.t.Helper()
	ms := q.receive(url, 1, visibility, 10)
	if len(ms) != 1 {
		q.t.Fatalf("%d messages received, want 1", len(ms))
	}
	return ms[0]
}

func (q queueTest) empty(url string) {
	q.t.Helper()
	if ms := q.receive(url, 10, 1, 0); len(ms) > 0 {
		q.t.Fatalf("%d messages received, want none", len(ms))
	}
}

func (q queueTest) delete(url string, m types.Message) {
	q.t.Helper()
	out, err := q.c.DeleteMessage(q.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	must(q.t, out, err)
}

func (q queueTest) setVisibility(url string, m types.Message, seconds int32) {
	q.t.Helper()
	out, err := q.c.ChangeMessageVisibility(q.t.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds,
	})
	must(q.t, out, err)
}

func (q queueTest) attributes(url string) map[string]string {
	q.t.Helper()
	out, err := q.c.GetQueueAttributes(q.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	return must(q.t, out, err).Attributes
}

func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || !slices.Contains(codes, api.ErrorCode()) {
		t.Errorf("error is %v, want one with code %s", err, strings.Join(codes, " or "))
	}
}

func receiveCount(m types.Message) string { return m.Attributes["ApproximateReceiveCount"] }

func testSendReceiveDelete(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "grüße\n\t{}")
	m := q.receiveOne(url, 30)
	if got := aws.ToString(m.Body); got != "grüße\n\t{}" {
		t.Errorf("body is %q", got)
	}
	q.empty(url) // it is in flight
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

func testMissingQueue(t *testing.T, q queueTest) {
	url := q.create("", nil)
	_, err := q.c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &url})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"GetQueueAttributes": func(ctx context.Context) error {
			_, err := q.c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url})
			return err
		},
		"ReceiveMessage": func(ctx context.Context) error {
			_, err := q.c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url})
			return err
		},
		"SendMessage": func(ctx context.Context) error {
			_, err := q.c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b")})
			return err
		},
		"GetQueueUrl": func(ctx context.Context) error {
			_, err := q.c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
			return err
		},
	} {
		err := call(t.Context())
		if missing := (*types.QueueDoesNotExist)(nil); !errors.As(err, &missing) {
			t.Errorf("%s: error is %v, want QueueDoesNotExist", name, err)
		}
	}
}

func testQueueAttributes(t *testing.T, q queueTest) {
	url := q.create("", map[string]string{"VisibilityTimeout": "77"})
	_, err := q.c.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"DelaySeconds": "3"}})
	if err != nil {
		t.Fatal(err)
	}
	a := q.attributes(url)
	for name, want := range map[string]string{
		"VisibilityTimeout": "77", "DelaySeconds": "3", "MessageRetentionPeriod": "345600",
		"ApproximateNumberOfMessages": "0", "RedrivePolicy": "",
	} {
		if a[name] != want {
			t.Errorf("%s is %q, want %q", name, a[name], want)
		}
	}
	if !strings.HasSuffix(a["QueueArn"], ":"+q.name) {
		t.Errorf("QueueArn is %q", a["QueueArn"])
	}
	one, err := q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout"},
	})
	if diff := cmp.Diff(map[string]string{"VisibilityTimeout": "77"}, must(t, one, err).Attributes); diff != "" {
		t.Errorf("one attribute (-want +got):\n%s", diff)
	}
	_, err = q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Colour"},
	})
	wantCode(t, err, "InvalidAttributeName")
}

func testPurge(t *testing.T, q queueTest) {
	url := q.create("", nil)
	q.send(url, "a", "b")
	_, err := q.c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &url})
	if err != nil {
		t.Fatal(err)
	}
	q.empty(url)
}

func (q queueTest) createFIFO(attributes map[string]string) string {
	q.t.Helper()
	all := map[string]string{"FifoQueue": "true"}
	for k, v := range attributes {
		all[k] = v
	}
	return q.create(".fifo", all)
}

func testFIFOOrder(t *testing.T, q queueTest) {
	url := q.createFIFO(nil)
	var want []string
	for i := range 12 {
		body := strconv.Itoa(i)
		want = append(want, body)
		q.sendTo(url, "g", body, body)
	}
	var got []string
	last := ""
	for len(got) < len(want) {
		ms := q.receive(url, 3, 30, 10)
		if len(ms) == 0 {
			t.Fatal("nothing received")
		}
		for _, m := range ms {
			got = append(got, aws.ToString(m.Body))
			if m.Attributes["MessageGroupId"] != "g" {
				t.Errorf("group is %q", m.Attributes["MessageGroupId"])
			}
			last = m.Attributes["MessageDeduplicationId"]
			q.delete(url, m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if last != "11" {
		t.Errorf("deduplication ID is %q", last)
	}
}

func testFIFOGroups(t *testing.T, q queueTest) {
	url := q.createFIFO(nil)
	for _, m := range []string{"a1", "a2", "b1"} {
		q.sendTo(url, m[:1], m, m)
	}
	first := q.receiveOne(url, 30)
	if got := aws.ToString(first.Body); got != "a1" {
		t.Fatalf("first is %s", got)
	}
	other := q.receiveOne(url, 30)
	if got := aws.ToString(other.Body); got != "b1" {
		t.Errorf("with group a in flight %s comes, want b1", got)
	}
	q.empty(url)
	q.setVisibility(url, first, 0)
	again := q.receiveOne(url, 30)
	if got := aws.ToString(again.Body); got != "a1" {
		t.Errorf("after it was given back %s comes, want a1", got)
	}
	q.delete(url, again)
	if m := q.receiveOne(url, 30); aws.ToString(m.Body) != "a2" {
		t.Errorf("then %s comes, want a2", aws.ToString(m.Body))
	}
}

func testFIFODeduplication(t *testing.T, q queueTest) {
	url := q.createFIFO(nil)
	q.sendTo(url, "g", "one", "first")
	q.sendTo(url, "g", "one", "again")
	q.sendTo(url, "g", "two", "second")
	var got []string
	for range 2 {
		m := q.receiveOne(url, 30)
		got = append(got, aws.ToString(m.Body))
		q.delete(url, m)
	}
	if diff := cmp.Diff([]string{"first", "second"}, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	q.empty(url)
}

func testFIFONeedsGroup(t *testing.T, q queueTest) {
	url := q.createFIFO(nil)
	_, err := q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"), MessageDeduplicationId: aws.String("d")})
	wantCode(t, err, "MissingParameter")
	_, err = q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("b"), MessageGroupId: aws.String("g")})
	wantCode(t, err, "InvalidParameterValue")

	content := queueTest{t: t, c: q.c, name: q.name + "-content"}
	url = content.createFIFO(map[string]string{"ContentBasedDeduplication": "true"})
	for range 2 {
		_, err = q.c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("same"), MessageGroupId: aws.String("g")})
		if err != nil {
			t.Fatal(err)
		}
	}
	q.delete(url, q.receiveOne(url, 30))
	q.empty(url)
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

func testListQueuesAndGetURL(t *testing.T, q queueTest) {
	url := q.create("", nil)
	got, err := q.c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &q.name})
	if must(t, got, err); aws.ToString(got.QueueUrl) != url {
		t.Errorf("GetQueueUrl: %s, CreateQueue: %s", aws.ToString(got.QueueUrl), url)
	}
	list, err := q.c.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: &q.name})
	if diff := cmp.Diff([]string{url}, must(t, list, err).QueueUrls); diff != "" {
		t.Errorf("ListQueues (-want +got):\n%s", diff)
	}
	if again := q.create("", nil); again != url {
		t.Errorf("creating it again: %s", again)
	}
}
