package queue

import (
	"context"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Traits describe a queue technology. The engine and the program read them
// instead of comparing schemes: a new technology is one package that declares
// its traits, and one line in the program's list of drivers.
type Traits struct {
	// Schemes are the schemes of the driver's URLs.
	Schemes []Scheme
	// Warning is logged at each start with such a queue, after the scheme: for
	// example that the driver is untested. Empty: none.
	Warning string
	// NoDeadLetters is logged, after the scheme, if the program has no topic for
	// dead letters: it says what happens to a message that always fails. Empty:
	// the queue has dead letters of its own.
	NoDeadLetters string
	// CountsDeliveries says that a message's attempt counts all of its
	// deliveries, also those to workers that have crashed.
	CountsDeliveries bool
	// HeldFor is how long the queue, as it is usually configured, leaves a message with
	// one worker, however often its lease is extended; 0: without limit. Longer work is
	// cut into slices where OwnTopic permits it.
	HeldFor time.Duration
	// OwnTopic says that a message sent to a queue's own URL reaches that queue.
	OwnTopic bool
	// PlaceParameters are the URL parameters that name the place, together with
	// host and path; see SamePlace.
	PlaceParameters []string
	// DelaysNacks says that a Handle's Nack returns at once and the message comes
	// back after the delay. Otherwise the engine keeps the message leased until
	// the delay is over, and only then calls Nack.
	DelaysNacks bool
	// NackDelay is the default of Config.NackDelay. Default: Backoff.
	NackDelay func(attempt int) time.Duration
	// Reachable asks whether the queue of a URL can be received from now. It
	// creates nothing. nil: the driver cannot ask, and [Subscriber.Fault] is all
	// that is known.
	Reachable func(ctx context.Context, url string) error
	// InProcess says that a queue is in the memory of the process that opens it, and ends with it.
	InProcess bool
	// Count returns how many messages the queue of a URL has. nil: the driver cannot tell.
	Count func(ctx context.Context, url string) (Count, error)
	// Move makes the service itself move all messages of a queue to another one, and returns when it has. It
	// calls told now and then with how many it has moved. If ctx ends, it stops the service. The error wraps
	// [errors.ErrUnsupported], and nothing has been moved, if the service cannot move these. nil: it has no such thing.
	Move func(ctx context.Context, from, to string, told func(moved int)) (moved int, err error)
}

// Count is how many messages a queue has.
type Count struct {
	Waiting int  // for a receiver
	Held    int  // by receivers, or until a delay is over
	Exact   bool // otherwise the numbers may be a minute old
}

// Scheme is a URL scheme with an example for help texts and error messages.
type Scheme struct{ Name, Example string }

// LimitsDeliveries reports whether the program has to end the deliveries of a
// message that always fails, and can: the queue has no dead letters of its own,
// and the attempt tells how often the message was delivered.
func (t Traits) LimitsDeliveries() bool { return t.CountsDeliveries && t.NoDeadLetters != "" }

// SamePlace reports whether two URLs of the driver name one queue or topic,
// whatever their other parameters and their schemes.
func (t Traits) SamePlace(a, b string) bool {
	first, err := redact.Parse(a)
	second, err2 := redact.Parse(b)
	if err != nil || err2 != nil || first.Host != second.Host || first.Path != second.Path {
		return false
	}
	return !slices.ContainsFunc(t.PlaceParameters, func(name string) bool {
		return first.Query().Get(name) != second.Query().Get(name)
	})
}
