package pipeline

import (
	"errors"
	"time"
)

// Fate is what became of a delivery.
type Fate string

// The fates of deliveries.
const (
	Acked        Fate = "acked"         // done, superseded or nothing to do
	Nacked       Fate = "nacked"        // given back to the queue
	DeadLettered Fate = "dead-lettered" // acknowledged; the dead letters have it with its reason
	Continued    Fate = "continued"     // acknowledged; a new message asks for the rest of the work
)

// Delivery is one delivery of one message and what became of it.
type Delivery struct {
	MessageID string
	Attempt   int       // from 1
	Trace     Trace     // as the message carries it
	Events    []Handled // none if the message could not be decoded
	Fate      Fate
	Err       error // why Fate is not plain success
	Duration  time.Duration
	Retries   int // how often the handling was repeated

	observer *Observer // no field of it is nil
}

// GivenUp is a class of reasons why messages become dead letters.
type GivenUp string

// The classes. The first one that applies counts.
const (
	GivenUpExhausted   GivenUp = "exhausted"      // a transient error on the last permitted delivery
	GivenUpInterrupted GivenUp = "interrupted"    // a delivery beyond the last permitted one
	GivenUpMismatch    GivenUp = "mismatch"       // ErrMismatch
	GivenUpUnknown     GivenUp = "unknown_bucket" // ErrUnknownBucket
	GivenUpMissing     GivenUp = "missing"        // ErrMissing, where a missing object is not acknowledged
	GivenUpUndecodable GivenUp = "undecodable"    // the message could not be decoded, or not all of it
	GivenUpRefused     GivenUp = "refused"        // any other permanent error
)

// GivenUp returns why the message became a dead letter. It is empty for other fates.
func (d Delivery) GivenUp() GivenUp {
	switch {
	case d.Fate != DeadLettered:
		return ""
	case is[*exhaustedError](d.Err):
		return GivenUpExhausted
	case is[*beyondLimitError](d.Err):
		return GivenUpInterrupted
	case errors.Is(d.Err, ErrMismatch):
		return GivenUpMismatch
	case errors.Is(d.Err, ErrUnknownBucket):
		return GivenUpUnknown
	case errors.Is(d.Err, ErrMissing):
		return GivenUpMissing
	}
	undecodable := len(d.Events) == 0
	for _, h := range d.Events {
		undecodable = undecodable || h.Err != nil && h.Event.Object.Key == "" && h.Event.Shard == nil
	}
	if undecodable {
		return GivenUpUndecodable
	}
	return GivenUpRefused
}

// SupersededBy is why an event needs no work.
type SupersededBy string

// The reasons. The first one that applies counts.
const (
	SupersededMissing   SupersededBy = "missing"  // ErrMissing
	SupersededArchived  SupersededBy = "archived" // ErrArchived
	SupersededOwnRecord SupersededBy = "record"   // ErrOwnRecord
	SupersededFiltered  SupersededBy = "filtered" // ErrFiltered
)

// Superseded returns why an error has the class Superseded. It is empty for other classes.
func Superseded(err error) SupersededBy {
	if Classify(err) != ClassSuperseded {
		return ""
	}
	switch {
	case errors.Is(err, ErrMissing):
		return SupersededMissing
	case errors.Is(err, ErrArchived):
		return SupersededArchived
	case errors.Is(err, ErrOwnRecord):
		return SupersededOwnRecord
	default:
		return SupersededFiltered
	}
}
