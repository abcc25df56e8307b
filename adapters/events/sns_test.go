package events_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestSNS(t *testing.T) {
	for name, want := range map[string]pipeline.Event{
		"sns-wrapped-s3-notification": flower(t),
		"sns-wrapped-eventbridge": {
			OtherKey: "år 2024/a b c 💎.bin", Kind: pipeline.Created, Name: "Object Created", ID: "17793124-05d4-b198-2fde-7ededc63b103", Time: at(t, "2021-11-12T00:00:00Z"),
			Object: pipeline.Object{Bucket: "amzn-s3-demo-bucket1", Key: "år 2024/a+b%20c 💎.bin", Size: unknown, Sequencer: "617f08299329d189"},
		},
		"sns-wrapped-test-event": {Name: "s3:TestEvent", Time: at(t, "2014-10-13T15:57:02.089Z"),
			Object: pipeline.Object{Bucket: "bucketname", Size: unknown}},
		"sns-wrapped-twice": cloudTrailEvent(t, pipeline.Created, "PutObject", "md5/example key.bin", ""),
		"sns-subscription-confirmation": {Name: "SubscriptionConfirmation", ID: "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
			Time: at(t, "2012-04-26T20:45:04.751Z"), Object: pipeline.Object{Size: unknown}},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want) })
	}
}

// wrap puts a message into the given number of SNS notifications.
func wrap(t testing.TB, body string, times int) []byte {
	for range times {
		body = mustJSON(t, map[string]string{"Type": "Notification", "Message": body})
	}
	return []byte(body)
}

func TestSNSBoundsWrappings(t *testing.T) {
	inner := mustJSON(t, eventBridgeWith(`a"\b`))
	decodes(t, wrap(t, inner, 3), nil,
		pipeline.Event{Kind: pipeline.Created, Name: "Object Created", Object: pipeline.Object{Bucket: "b", Key: `a"\b`, Size: unknown}})
	refuses(t, wrap(t, inner, 4), nil, "SNS: Message: SNS: Message: SNS: Message: SNS: Message: wrapped more than 3 times")
}

func TestSNSRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ body, reason string }{
		"no message":        {`{"Type":"Notification","TopicArn":"arn"}`, "SNS: Message is missing"},
		"no type":           {`{"Type":"","Message":"{}"}`, "SNS: Type is missing"},
		"message not text":  {`{"Type":"Notification","Message":{"Records":[]}}`, "SNS: Message is an object where a string belongs"},
		"message not JSON":  {`{"Type":"Notification","Message":"hello"}`, "SNS: Message: not JSON at byte 1: invalid character 'h' looking for beginning of value"},
		"message of blanks": {`{"Type":"Notification","Message":" "}`, "SNS: Message: the body is empty"},
		"half a surrogate":  {`{"Type":"Notification","Message":"{\"x\":\"\ud800\"}"}`, "SNS: Message contains half of a surrogate pair"},
		"half a surrogate inside": {string(wrap(t, `{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"\ud800"}}}`, 1)),
			"SNS: Message: EventBridge: detail.object.key contains half of a surrogate pair"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, []byte(tc.body), nil, tc.reason) })
	}
}

func FuzzSNS(f *testing.F) {
	fuzzForm(f, "sns-*", func(t testing.TB, key string) any {
		return object{"Type": "Notification", "Message": mustJSON(t, notificationWith(key))}
	})
}
