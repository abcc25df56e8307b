// Package gcppubsub drives Google Cloud Pub/Sub.
//
//	gcppubsub://projects/photos/subscriptions/bucketsum
//	gcppubsub://projects/photos/topics/failed
//
// The first is a queue: a subscription that all workers share. The second is a
// topic. The names are Google's full resource names, as in gocloud's URLs. The
// parameters are
//
//	create  true: create the subscription or the topic if it is missing
//	topic   with create: the topic of a new subscription; created too if missing
//
// The driver creates nothing without create=true, because a subscription decides
// about retention, dead letters and access. A subscription that the driver creates
// has Google's default retention and no dead-letter policy. The credentials are
// Google's default ones. PUBSUB_EMULATOR_HOST is the address of an emulator.
//
// # Delivery
//
// At least once, without an order. The ack deadline of a message in work is extended
// each third of its length. A nacked message is redelivered after its delay, which is
// 10 minutes at most. The driver pulls no more messages than may be in flight. If the
// subscription has a dead-letter policy, the server counts the attempts and limits
// them. Otherwise this process counts them, and nothing limits them.
//
// Metadata that Pub/Sub cannot carry as attributes (a value of more than 1,024 bytes,
// a name of more than 256 bytes) is folded into one attribute. A message has 100
// attributes at most.
package gcppubsub

import (
	"log/slog"

	"google.golang.org/api/option"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is the scheme of the URLs.
const Scheme = "gcppubsub"

// Driver opens subscriptions and topics. The zero value is ready.
type Driver struct {
	// Options are for Google's clients, in addition to the default options.
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
