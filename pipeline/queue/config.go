package queue

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config is the configuration of a [Subscriber]. The zero value is the default.
type Config struct {
	// Concurrency is the greatest number of messages of one URL in flight.
	// Default 4.
	Concurrency int
	// NackDelay returns how long a message waits for its redelivery after it was
	// nacked on its nth delivery. A waiting message is not in flight; but if the
	// engine keeps it (see Traits.DelaysNacks) and 16 messages for each that may be
	// in flight wait already, it is, so that the intake slows down. Close ends the
	// wait. Default: the driver's.
	NackDelay func(attempt int) time.Duration
	// ReopenDelay returns how long the engine waits after the nth failure in a
	// row before it opens a queue again. Default: Backoff.
	ReopenDelay func(attempt int) time.Duration
	// CloseTimeout is how long Close waits for messages in flight. Then it cancels
	// their contexts, and a second later it gives the unsettled ones back to the
	// queue, whatever their consumers say after that. Default 1 min.
	CloseTimeout time.Duration
	Observer     pipeline.Observer
	Log          *slog.Logger // default: discarded
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Concurrency < 0 {
		faults = append(faults, errors.New("concurrency is negative"))
	}
	if c.CloseTimeout < 0 {
		faults = append(faults, errors.New("close timeout is negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults(t Traits) Config {
	c.Concurrency = cmp.Or(c.Concurrency, 4)
	if c.NackDelay == nil {
		c.NackDelay = t.NackDelay
	}
	if c.NackDelay == nil {
		c.NackDelay = Backoff
	}
	if c.ReopenDelay == nil {
		c.ReopenDelay = Backoff
	}
	c.CloseTimeout = cmp.Or(c.CloseTimeout, time.Minute)
	c.Observer = pipeline.Observers(c.Observer)
	c.Log = Logger(c.Log)
	return c
}

// Logger returns log, or one that discards everything if log is nil.
func Logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
