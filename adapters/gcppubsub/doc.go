// Package gcppubsub drives Google Cloud Pub/Sub.
//
//	gcppubsub://projects/photos/subscriptions/bucketsum
//	gcppubsub://projects/photos/topics/failed
//
// The first is a queue: a subscription that all workers share. The second is a
// topic. The names are Google's full ones, as in gocloud's URLs. The parameters are
//
//	create  true: make the subscription or the topic if it is missing
//	topic   with create: the topic of a new subscription, which is made too
//
// Nothing is created without create=true, because a subscription decides about
// retention, dead letters and who may read; one that is new has neither. The
// credentials are Google's default ones; PUBSUB_EMULATOR_HOST is an emulator's
// address.
//
// # Delivery
//
// At least once. The ack deadline of a message in work is extended each third of
// it; a nacked message comes again after its delay, of 10 minutes at most. No
// more is pulled than is worked on. The attempt is the server's count if the
// subscription has a dead-letter policy, and else that of this process; that
// policy is what bounds deliveries. There is no order.
//
// A value of the metadata has 1,024 bytes at most, and a message 100 of them.
package gcppubsub

import (
	"log/slog"

	"google.golang.org/api/option"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is that of the URLs.
const Scheme = "gcppubsub"

// Driver opens subscriptions and topics. The zero value is ready.
type Driver struct {
	// Options are for the clients, beyond Google's defaults.
	Options []option.ClientOption
	Log     *slog.Logger // default: discarded
}

// Traits implements queue.Driver.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:          []queue.Scheme{{Name: Scheme, Example: "gcppubsub://projects/photos/subscriptions/bucketsum"}},
		NoDeadLetters:    "has dead letters only where the subscription has a policy for them: otherwise a message that always fails is redelivered without limit; name a topic for it with --dead-letter",
		CountsDeliveries: true,
		DelaysNacks:      true,
	}
}

func (d Driver) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}
