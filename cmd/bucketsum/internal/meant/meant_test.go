package meant

import (
	"net/url"
	"strings"
	"testing"
)

func TestQueue(t *testing.T) {
	for raw, want := range map[string]string{
		"https://sqs.eu-central-1.amazonaws.com/123456789012/objects":      "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects",
		"https://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo": "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo",
		"sqs.eu-central-1.amazonaws.com/123456789012/objects":              "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects",
		"https://eu-west-1.queue.amazonaws.com/123456789012/objects":       "awssqs://eu-west-1.queue.amazonaws.com/123456789012/objects",
		"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/objects":     "awssqs://sqs.cn-north-1.amazonaws.com.cn/123456789012/objects",
		"arn:aws:sqs:eu-central-1:123456789012:objects":                    "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects",
		"arn:aws:sqs:eu-central-1:123456789012:objects.fifo":               "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo",
		"arn:aws-cn:sqs:cn-north-1:123456789012:objects":                   "awssqs://sqs.cn-north-1.amazonaws.com.cn/123456789012/objects",
		"arn:aws-us-gov:sqs:us-gov-west-1:123456789012:objects":            "awssqs://sqs.us-gov-west-1.amazonaws.com/123456789012/objects",
		"https://eu-central-1.console.aws.amazon.com/sqs/v3/home?region=eu-central-1#/queues/https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F123456789012%2Fobjects": "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects",
		"http://localhost:4566/000000000000/objects":                  "awssqs://localhost:4566/000000000000/objects?region=us-east-1&endpoint=http://localhost:4566",
		"projects/photos/subscriptions/objects":                       "gcppubsub://projects/photos/subscriptions/objects",
		"//pubsub.googleapis.com/projects/p/subscriptions/s":          "gcppubsub://projects/p/subscriptions/s",
		"arn:aws:sns:eu-central-1:123456789012:objects":               "",
		"arn:aws:sqs:eu-central-1:123456789012:a:b":                   "",
		"arn:aws:sqs: :123456789012:q":                                "",
		"arn:aws:sqs:example.org/x:123456789012:q":                    "",
		"http://[fe80::1%25%20]/123456789012/q":                       "",
		"https://a\u00a0b.amazonaws.com/123456789012/q":               "",
		"projects/a b/subscriptions/s":                                "",
		"https://u:geheim@sqs.eu-west-1.amazonaws.com/123456789012/q": "",
		"https://example.org/objects":                                 "",
		"objects":                                                     "",
		"":                                                            "",
		"#/queues/#/queues/":                                          "",
	} {
		if got := Queue(raw); got != want {
			t.Errorf("%s\n got %q\nwant %q", raw, got, want)
		}
	}
}

func TestObject(t *testing.T) {
	for raw, want := range map[string][2]string{
		"arn:aws:s3:::photos":                                                                      {"s3://photos"},
		"arn:aws-cn:s3:::photos/2026/a.jpg":                                                        {"s3://photos", "2026/a.jpg"},
		"arn:aws:s3:eu-west-1:123456789012:accesspoint/photos":                                     {},
		"https://photos.s3.eu-central-1.amazonaws.com/":                                            {"s3://photos?region=eu-central-1"},
		"https://photos.s3.eu-central-1.amazonaws.com/2026/a.jpg":                                  {"s3://photos?region=eu-central-1", "2026/a.jpg"},
		"https://photos.s3.amazonaws.com":                                                          {"s3://photos"},
		"https://my.photos.s3-eu-west-1.amazonaws.com/a":                                           {"s3://my.photos?region=eu-west-1", "a"},
		"https://photos.s3.dualstack.us-gov-west-1.amazonaws.com/a":                                {"s3://photos?region=us-gov-west-1", "a"},
		"https://s3.eu-central-1.amazonaws.com/photos/a?X-Amz-Signature=geheim":                    {"s3://photos?region=eu-central-1", "a"},
		"https://s3.cn-north-1.amazonaws.com.cn/photos":                                            {"s3://photos?region=cn-north-1"},
		"https://s3.console.aws.amazon.com/s3/buckets/photos?region=eu-central-1&tab=objects":      {"s3://photos?region=eu-central-1"},
		"https://eu-west-1.console.aws.amazon.com/s3/buckets/photos?region=eu-west-1&prefix=2026/": {"s3://photos?region=eu-west-1", "2026/"},
		"https://storage.googleapis.com/photos/a.jpg":                                              {"gs://photos", "a.jpg"},
		"https://console.cloud.google.com/storage/browser/photos/2026;tab=objects?project=example": {"gs://photos", "2026;tab=objects"},
		"https://example.blob.core.windows.net/photos/a.jpg?sig=geheim":                            {"azblob://photos?storage_account=example", "a.jpg"},
		"s3a://photos/2026/": {"s3://photos", "2026/"},
		"s3a://photos/2026?region=eu-west-1&secret=geheim":                   {"s3://photos?region=eu-west-1", "2026"},
		"s3:photos?endpoint=http://u:geheim@127.0.0.1":                       {"s3://photos"},
		"s3:photos?endpoint=http%3A%2F%2F127.0.0.1:7070&use_path_style=true": {"s3://photos?endpoint=http://127.0.0.1:7070&use_path_style=true"},
		"gcs://photos":               {"gs://photos"},
		"s3:/photos":                 {"s3://photos"},
		"s3:photos":                  {"s3://photos"},
		"s3://photos":                {},
		"https://example.org/photos": {},
		"https://u:geheim@photos.s3.amazonaws.com/a": {},
		"s3:/u:geheim@photos":                        {},
		"photos":                                     {},
		"":                                           {},
	} {
		bucket, key := Object(raw)
		if got := [2]string{bucket, key}; got != want || strings.Contains(bucket+key, "geheim") {
			t.Errorf("%s\n got %q\nwant %q", raw, got, want)
		}
	}
}

// FuzzMeant: whatever is given, the answer is a URL of a queue or a bucket, or nothing, and has no password.
func FuzzMeant(f *testing.F) {
	for _, seed := range []string{"arn:aws:sqs:r:123456789012:q", "https://u:p@h/123456789012/q#/queues/x", "s3:/a", "https://s3.amazonaws.com/%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		bucket, _ := Object(raw)
		queue := Queue(raw)
		for _, got := range []string{queue, bucket} {
			u, err := url.Parse(got)
			if err != nil || got != "" && u.Host == "" || strings.ContainsAny(got, "@#\n\x00 ") {
				t.Errorf("%q becomes %q: %v", raw, got, err)
			} else if strings.HasSuffix(u.Scheme, "sqs") && strings.Count(u.Path, "/") != 2 {
				t.Errorf("%q becomes %q, which has the path %q", raw, got, u.Path)
			}
		}
	})
}
