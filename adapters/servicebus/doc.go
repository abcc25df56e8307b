// Package servicebus drives the queues and topics of Azure Service Bus.
//
//	azuresb://objects?subscription=bucketsum
//	azuresb://objects
//
// The first is a subscription of the topic objects, and all workers share it. The
// second is the topic, or a queue: Service Bus does not let a queue and a topic have
// the same name. Messages are received from a queue or a subscription, and sent to a
// queue or a topic; a URL with a subscription sends to its topic.
//
// The namespace is not in the URL. It is that of SERVICEBUS_CONNECTION_STRING or else
// of AZURE_SERVICEBUS_HOSTNAME (NAME.servicebus.windows.net), where the credentials
// are Azure's default ones: a workload identity, environment variables, or a login.
// The parameters listener_timeout and max_recv_batch_size, which gocloud's driver
// has, are accepted and have no effect.
//
// The driver creates no entities. The lock duration of a queue or subscription is the
// time after which the messages of a crashed worker go to others. After its maximum
// delivery count Service Bus moves a message to the dead-letter queue of the entity. The
// driver does not support sessions.
//
// # Delivery
//
// At least once, without an order. A received message is locked (PeekLock), and the
// lock is renewed about each third of its duration until the message is completed or
// abandoned. The attempt is the delivery count of Service Bus. Service Bus cannot
// delay the redelivery of an abandoned message: a nacked message waits in the worker, locked,
// and is abandoned when its delay is over.
//
// No more messages are received than may be in flight. The client of Azure releases
// messages that Service Bus sends while no Receive runs, which does not count as a
// delivery. Messages that arrive while the link closes are redelivered when their locks
// expire.
//
// # Tests
//
// This driver is tested with Azure's client against a stand-in that speaks AMQP 1.0
// (servicebustest). It is untested against Azure itself.
package servicebus

import (
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Scheme is the scheme of the URLs.
const Scheme = "azuresb"

// Driver opens queues, subscriptions and topics. The zero value is ready.
type Driver struct {
	// Options are for the client of Service Bus. Its RetryOptions are replaced.
	Options azservicebus.ClientOptions
}

// Traits implements queue.Driver. OwnTopic is false, because a message to a topic reaches
// its other subscriptions too.
func (d Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes:          []queue.Scheme{{Name: Scheme, Example: "azuresb://objects?subscription=bucketsum (SERVICEBUS_CONNECTION_STRING)"}},
		Warning:          "is untested against Azure itself: its tests run on a stand-in",
		CountsDeliveries: true,
	}
}
