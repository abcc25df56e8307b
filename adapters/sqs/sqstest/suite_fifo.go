package sqstest

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
)

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
