package main

import (
	"testing"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// TestSlicedOnRabbitMQ cuts the work on one object into messages on RabbitMQ, which takes
// a message back after its consumer_timeout.
func TestSlicedOnRabbitMQ(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts RabbitMQ")
	}
	t.Parallel()
	f := newFlow(t, rabbitServer(t).urls(t, "objects"))
	var sum string
	f.dir, sum = sparse(t)
	f.url = "file://" + f.dir
	f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, "large", sum}] = true
	f.start("--checkpoint-above", "1MiB", "--checkpoint-every", "1MiB", "--slice", "20ms")
	f.mustSend(created(f.bucket, "large"))
	f.finish()
	if n := f.logged(`msg="message continues in a new one"`); n < 2 {
		t.Errorf("%d continuations, want several", n)
	}
}
