package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/handlers"
)

// checkpointFlags says how the work on large objects survives its worker.
type checkpointFlags struct {
	above, every byteSize
	slice        time.Duration
	sliceGiven   func() bool
}

func (c *checkpointFlags) define(fs *pflag.FlagSet) {
	c.above, c.every = 4<<30, 2<<30
	fs.Var(&c.above, "checkpoint-above", "objects of more bytes, as 4GiB, have checkpoints: whoever goes on after an interruption begins there")
	fs.Var(&c.every, "checkpoint-every", "bytes between two checkpoints; 0: none")
	fs.DurationVar(&c.slice, "slice", 8*time.Hour, "time after which the work on an object with checkpoints goes on in a new message; 0: never")
	c.sliceGiven = func() bool { return fs.Changed("slice") }
}

// validateQueue turns slices off for a queue of which the URL is not also that of
// the topic which feeds it, and returns an error if they were asked for.
func (c *checkpointFlags) validateQueue(queue string) error {
	switch schemeOf(queue) {
	case sqs.SchemeParallel, sqs.SchemeOrdered, "mem":
		return nil
	}
	if c.slice <= 0 {
		return nil
	}
	c.slice = 0
	if c.sliceGiven() {
		return errors.New("--slice: it takes a queue that can be written to by its own URL: awssqs://, sqs:// or mem://")
	}
	return nil
}

// topicOf returns the URL of the topic that feeds a queue which validateQueue lets
// pass.
func topicOf(queue string) string {
	if schemeOf(queue) == "mem" {
		queue, _, _ = strings.Cut(queue, "?") // its parameters are the subscription's
	}
	return queue
}

// resume returns what handlers do.
func (c *checkpointFlags) resume() handlers.Resume {
	return handlers.Resume{Above: int64(c.above), Every: int64(c.every), Slice: c.slice}
}
