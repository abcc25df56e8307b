package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/handlers"
)

// resumeConfig says how the work on large objects survives its worker.
type resumeConfig struct {
	above, every byteSize
	slice        time.Duration
	sliceGiven   func() bool
}

func (c *resumeConfig) flags(fs *pflag.FlagSet) {
	c.above, c.every = 4<<30, 2<<30
	fs.Var(&c.above, "checkpoint-above", "objects of more bytes, as 4GiB, have checkpoints: whoever goes on after an interruption begins there")
	fs.Var(&c.every, "checkpoint-every", "bytes between two checkpoints; 0: none")
	fs.DurationVar(&c.slice, "slice", 8*time.Hour, "time after which the work on an object with checkpoints goes on in a new message; 0: never")
	c.sliceGiven = func() bool { return fs.Changed("slice") }
}

// validate returns what is wrong.
func (c *resumeConfig) validate() error {
	if c.slice < 0 {
		return fmt.Errorf("--slice: %s is negative", c.slice)
	}
	return nil
}

// validateQueue turns slices off for a queue of which the URL is not also that of
// the topic which feeds it, and returns an error if they were asked for.
func (c *resumeConfig) validateQueue(queue string) error {
	switch schemeOf(queue) {
	case sqs.SchemeParallel, sqs.SchemeOrdered, "mem":
		return nil
	}
	given := c.sliceGiven() && c.slice > 0
	c.slice = 0
	if given {
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
func (c *resumeConfig) resume() handlers.Resume {
	return handlers.Resume{Above: int64(c.above), Every: int64(c.every), Slice: c.slice}
}

// byteSize is a flag that is a number of bytes, such as 4294967296, 4GiB or 4GB.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// String implements pflag.Value.
func (s *byteSize) String() string {
	for _, u := range byteUnits[:4] {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set implements pflag.Value.
func (s *byteSize) Set(text string) error {
	number, unit := text, int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is no size; valid are for example 4GiB, 500MB, 4294967296", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// Type implements pflag.Value.
func (s *byteSize) Type() string { return "size" }
