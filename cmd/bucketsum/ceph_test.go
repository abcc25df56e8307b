package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/cephenv"
)

// TestCeph follows objects as docs/on-premises.md has it: Ceph sends its events to RabbitMQ, and
// the worker writes the records to Ceph, which sends events for those, too.
func TestCeph(t *testing.T) {
	t.Parallel()
	server, queues := cephenv.Start(t), rabbitmqtest.Start(t)
	for name, test := range map[string]struct {
		versioned bool
		flags     []string
	}{
		"plain":    {false, nil},
		"versions": {true, nil},
		"tags":     {false, []string{"--record-to", "tags,sidecar"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCephFlow(t, server, queues, "ceph-"+name, test.versioned)
			c.start(test.flags...)
			c.change()
			c.until("handling events", func() bool { return c.settled() })
			c.stop()
			c.start(test.flags...) // for the events of the records that the first worker wrote while it stopped
			c.until("handling the last events", func() bool { return c.settled() })
			c.stop()
			c.check()
			if test.flags != nil {
				c.checkTags()
			}
		})
	}
}

// cephFlow is a bucket on Ceph with a worker that receives its events.
type cephFlow struct {
	*queueFlow
	s3    drivertest.S3Bucket
	bytes map[string][]byte // what the bucket should hold, by key
}

func newCephFlow(t *testing.T, server awsenv.Server, queues *rabbitmqtest.Server, name string, versioned bool) *cephFlow {
	t.Helper()
	f := newFlow(t, rabbitQueues(queues)(t, name))
	c := &cephFlow{f, drivertest.MakeS3Bucket(t, server, versioned), make(map[string][]byte)}
	f.bucket, f.url = c.s3.Name, c.s3.Address()
	f.stray = func(outcome) bool { return true } // a key that is overwritten may have several results
	queues.Bind(name, "amq.topic", name)
	topic := cephenv.MakeTopic(t, server, name, map[string]string{
		// With a slash at its end, the URL would name a virtual host without a name.
		"push-endpoint": strings.TrimSuffix(queues.URL(""), "/?"), "amqp-exchange": "amq.topic", "amqp-ack-level": "broker",
	})
	_, err := c.s3.Client.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: &c.s3.Name,
		NotificationConfiguration: &types.NotificationConfiguration{TopicConfigurations: []types.TopicConfiguration{{
			Id: aws.String("bucketsum"), TopicArn: &topic, Events: []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:*"},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// change puts, overwrites and deletes objects without waiting for the worker.
func (c *cephFlow) change() {
	for _, key := range []string{"plain", "with space", "a+b", "100%20", "100% sure", "ünïcödé ☃ 文件", "deep/er/key", "q?x=y#z", "~!$&'()*,;=:@", "empty"} {
		content := contentOf(key)
		if key == "empty" {
			content = nil
		}
		c.put(key, content)
	}
	for i := range 30 {
		c.put("overwritten", contentOf(fmt.Sprint("overwritten ", i)))
	}
	c.put("plain", contentOf("other content"))
	c.put("comes back", contentOf("1"))
	c.delete("comes back")
	c.put("comes back", contentOf("2"))
	c.put("same again", contentOf("same"))
	c.delete("same again")
	c.put("same again", contentOf("same"))
	c.put("goes", contentOf("goes"))
	c.delete("goes")
	part := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	c.putParts("in parts + 1", part, []byte("the rest"))
}

func (c *cephFlow) put(key string, content []byte) {
	c.t.Helper()
	c.s3.Put(c.t, key, string(content))
	c.bytes[key] = content
}

func (c *cephFlow) delete(key string) {
	c.t.Helper()
	c.s3.Delete(c.t, key, "")
	delete(c.bytes, key)
}

func (c *cephFlow) putParts(key string, parts ...[]byte) {
	c.t.Helper()
	uploadParts(c.t, c.s3.Client, c.s3.Name, key, parts...)
	c.bytes[key] = bytes.Join(parts, nil)
}

// settled reports whether each object has the right record, nothing else is in the bucket, and no
// message waits. It looks at the queue last, because that delivers a message once more.
func (c *cephFlow) settled() bool { return len(c.wrong()) == 0 && c.urls.left(c.t, c.urls.queue) == 0 }

func (c *cephFlow) check() {
	c.t.Helper()
	if c.urls.left(c.t, c.urls.queue) > 0 {
		c.t.Error("messages are in the queue again")
	}
	for _, fault := range c.wrong() {
		c.t.Error(fault)
	}
	if n := c.urls.left(c.t, c.urls.letters); n > 0 {
		c.t.Error("there are dead letters")
	}
}

// wrong says what is not as it should be.
func (c *cephFlow) wrong() (faults []string) {
	left := make(map[string]bool)
	for _, key := range c.s3.Keys(c.t) {
		left[key] = true
	}
	for key, content := range c.bytes {
		if !left[key] {
			faults = append(faults, fmt.Sprintf("%q is not there", key))
		}
		if !left[key+".md5"] {
			faults = append(faults, fmt.Sprintf("%q has no record", key))
		} else if record, _ := c.s3.Get(c.t, key+".md5"); !strings.HasPrefix(strings.TrimPrefix(record, `\`), sumOf(content)+" ") {
			faults = append(faults, fmt.Sprintf("the record of %q is %q, want %s", key, record, sumOf(content)))
		}
		delete(left, key)
		delete(left, key+".md5")
	}
	for key := range left {
		faults = append(faults, fmt.Sprintf("%q is in the bucket", key))
	}
	return faults
}

// checkTags expects the checksum in the tags of each object.
func (c *cephFlow) checkTags() {
	c.t.Helper()
	for key, content := range c.bytes {
		out, err := c.s3.Client.GetObjectTagging(c.t.Context(), &s3.GetObjectTaggingInput{Bucket: &c.s3.Name, Key: &key})
		if err != nil {
			c.t.Error(err)
			continue
		}
		tags := make(map[string]string)
		for _, tag := range out.TagSet {
			tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		if tags["bucketsum:md5"] != sumOf(content) {
			c.t.Errorf("%q has the tags %v, want the MD5 %s", key, tags, sumOf(content))
		}
	}
}
