// Package cloudpubsub is the driver of queues that gocloud.dev/pubsub opens, of
// which the program uses the in-memory one (mem://).
//
// mem://NAME is a queue of this process and ends with it. It holds every message
// in memory until it is acked, without a bound. Every open subscription gets a
// copy of every message that is published while it is open: workers that share the
// work share one [queue.Subscriber] and one URL, and call SubscribeInitialize
// before the first Publish. A lease lasts a day unless the URL says otherwise
// (mem://NAME?ackdeadline=1h); it is not extended. gocloud's own default of a
// minute would redeliver a large file while it is read. A topic lives as long as
// the process.
//
// gocloud fetches one message ahead, whose lease runs meanwhile.
package cloudpubsub

import (
	"time"

	"gocloud.dev/pubsub/mempubsub"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Driver implements queue.Driver. The zero value is ready. All drivers open the
// same queues.
type Driver struct{}

// Traits implements queue.Driver.
func (Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:       []queue.Scheme{{Name: mempubsub.Scheme, Example: "mem://events (ends with the process)"}},
		NoDeadLetters: "has no dead letters of its own: a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
		HeldFor:       24 * time.Hour,
		OwnTopic:      true,
		InProcess:     true,
	}
}
