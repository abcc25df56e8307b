package redrive

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Config says what a [Run] does.
type Config struct {
	Drivers queue.Drivers
	// From is the URL of the queue with the dead letters, To that of the topic they are sent to.
	From, To string
	Action   Action
	Match    Match
	// Limit is how many matching messages are sent or deleted at most; 0: all.
	Limit int

	// Concurrency is how many messages are sent or deleted at a time. Default 16.
	Concurrency int
	// Hold is how many messages may be held back at a time; a run ends when there are as many. Default
	// 10,000. The run also ends when the bodies of these messages have 256 MiB in all.
	Hold int
	// Wait is how long the queue must deliver nothing before it counts as empty. A queue that counts its
	// messages exactly is asked, too, and ends the wait early. Default 10 s.
	Wait time.Duration

	Decode pipeline.Decoder
	// Discarded is called with the objects of each message that was deleted. Calls are concurrent. May be nil.
	Discarded func(objects []pipeline.Object)
	// Told is called with the totals so far, at most every Every. May be nil.
	Told  func(Tally)
	Every time.Duration
	Log   *slog.Logger // default: discarded
}

// Action is what becomes of the messages that match.
type Action int

// The actions.
const (
	Look    Action = iota // nothing: they are given back
	Send                  // they are sent to Config.To
	Discard               // they are deleted
)

// String returns the action as reports name it.
func (a Action) String() string {
	return [...]string{Look: "look", Send: "send", Discard: "discard"}[a]
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	from, err := c.Drivers.Of(c.From)
	switch {
	case err != nil:
		faults = append(faults, fmt.Errorf("--from: %w", err))
	case from.Traits().InProcess:
		faults = append(faults, errors.New("--from: this queue is in the memory of another process, which ends with it: there is nothing to redrive"))
	}
	if c.Action == Send {
		to, err := c.Drivers.Of(c.To)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("--to: %w", err))
		case to.Traits().InProcess:
			faults = append(faults, errors.New("--to: this queue is in the memory of another process: messages that are sent there are lost"))
		case c.Drivers.SamePlace(c.From, c.To):
			faults = append(faults, errors.New("--to is the same as --from: each message would come back without limit"))
		}
	}
	if c.Limit < 0 || c.Concurrency < 0 || c.Hold < 0 || c.Wait < 0 {
		faults = append(faults, errors.New("a number is negative"))
	}
	return redact.Error(redact.Error(errors.Join(faults...), c.From), c.To)
}

const unlimited = math.MaxInt

func (c Config) withDefaults() Config {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.Hold = cmp.Or(c.Hold, 10_000)
	c.Wait = cmp.Or(c.Wait, 10*time.Second)
	c.Every = cmp.Or(c.Every, 10*time.Second)
	if c.Limit == 0 {
		c.Limit = unlimited
	}
	c.Log = queue.Logger(c.Log)
	return c
}
