package pipeline

import "errors"

// GivenUp is a class of reasons for which messages become dead letters.
type GivenUp string

// The classes, of which the first that is true counts.
const (
	GivenUpExhausted   GivenUp = "exhausted"      // a transient error came once too often
	GivenUpMismatch    GivenUp = "mismatch"       // ErrMismatch
	GivenUpUnknown     GivenUp = "unknown_bucket" // ErrUnknownBucket
	GivenUpUndecodable GivenUp = "undecodable"    // no event, or not all, could be read from the message
	GivenUpRefused     GivenUp = "refused"        // anything else that no retry can mend
)

// GivenUp returns why the message became a dead letter; empty if it did not.
func (d Delivery) GivenUp() GivenUp {
	switch {
	case d.Fate != DeadLettered:
		return ""
	case is[*exhaustedError](d.Err):
		return GivenUpExhausted
	case errors.Is(d.Err, ErrMismatch):
		return GivenUpMismatch
	case errors.Is(d.Err, ErrUnknownBucket):
		return GivenUpUnknown
	}
	undecodable := len(d.Events) == 0
	for _, h := range d.Events {
		undecodable = undecodable || h.Err != nil && h.Event.Object.Key == ""
	}
	if undecodable {
		return GivenUpUndecodable
	}
	return GivenUpRefused
}
