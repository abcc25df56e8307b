package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// checkpointFlags say how work on a large object survives its worker.
type checkpointFlags struct {
	above, every flagvalue.Size
	slice        flagvalue.Duration
}

// autoSlice returns the slice for a queue. A third of the time that the queue leaves a
// message with one worker remains for the message's other events.
func autoSlice(t queue.Traits) time.Duration {
	if !t.OwnTopic {
		return 0
	}
	return t.HeldFor * 2 / 3
}

func (c *checkpointFlags) define(fs *pflag.FlagSet) {
	c.above, c.every = 4<<30, 2<<30
	fs.Var(&c.above, "checkpoint-above", "objects larger than this, for example 4GiB, have checkpoints, from which work resumes after an interruption")
	fs.Var(&c.every, "checkpoint-every", "bytes between two checkpoints; 0: no checkpoints")
	c.slice.Auto = true
	var acts []string
	for _, d := range queueDrivers(nil) {
		t := d.Traits()
		if s := autoSlice(t); s > 0 {
			acts = append(acts, fmt.Sprintf("%s on %s://", s, t.Schemes[0].Name))
		}
	}
	fs.Var(&c.slice, "slice", "time after which work on an object with checkpoints continues in a new message; auto: "+strings.Join(acts, ", ")+", and never on other queues; 0: never")
}

// validateQueue decides about the slices of a queue. Messages for the rest of the work
// are sent to the queue's own URL; where that is impossible, asking for slices is an
// error.
func (c *checkpointFlags) validateQueue(queueURL string) error {
	t := traitsOf(queueURL)
	if c.slice.Auto {
		c.slice.Duration = autoSlice(t)
	}
	if c.slice.Duration <= 0 || t.OwnTopic {
		return nil
	}
	c.slice.Duration = 0
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
	return handlers.Resume{Above: int64(c.above), Every: int64(c.every), Slice: c.slice.Duration}
}
