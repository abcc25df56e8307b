package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/handlers"
)

// checkpointFlags say how work on a large object survives its worker.
type checkpointFlags struct {
	above, every byteSize
	slice        time.Duration
	sliceGiven   func() bool
}

func (c *checkpointFlags) define(fs *pflag.FlagSet) {
	c.above, c.every = 4<<30, 2<<30
	fs.Var(&c.above, "checkpoint-above", "objects larger than this, for example 4GiB, have checkpoints, from which work resumes after an interruption")
	fs.Var(&c.every, "checkpoint-every", "bytes between two checkpoints; 0: no checkpoints")
	fs.DurationVar(&c.slice, "slice", 8*time.Hour, "time after which work on an object with checkpoints continues in a new message; 0: never")
	c.sliceGiven = func() bool { return fs.Changed("slice") }
}

// validateQueue turns slices off for a queue to which messages cannot be sent by its own
// URL. It returns an error if the user has asked for slices.
func (c *checkpointFlags) validateQueue(queueURL string) error {
	if c.slice <= 0 || traitsOf(queueURL).OwnTopic {
		return nil
	}
	c.slice = 0
	if !c.sliceGiven() {
		return nil
	}
	var valid []string
	for _, d := range queueDrivers(nil) {
		if t := d.Traits(); t.OwnTopic {
			for _, s := range t.Schemes {
				valid = append(valid, s.Name+"://")
			}
		}
	}
	return fmt.Errorf("--slice: it needs a queue to which messages can be sent by its own URL: %s", strings.Join(valid, ", "))
}

// resume returns the flags as handlers need them.
func (c *checkpointFlags) resume() handlers.Resume {
	return handlers.Resume{Above: int64(c.above), Every: int64(c.every), Slice: c.slice}
}
