// Package cloudpubsubtest is for tests that open subscriptions of gocloud's.
package cloudpubsubtest

import "go.uber.org/goleak"

// GocloudLeak leaves out a goroutine of gocloud's Subscription (v0.49): it has fetched a message that Receive found in the
// buffer, and waits without end for another Receive to hear of it. Shutdown does not end it. There is at most one for each
// subscription that was shut down. One that was not waits in its driver, and is still found.
var GocloudLeak = goleak.IgnoreTopFunction("gocloud.dev/pubsub.(*Subscription).Receive.func2")
