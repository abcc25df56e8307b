// Package pipelinetest holds the conformance suites that adapters must pass, in
// the way of gocloud's drivertest: an adapter's test calls the suite with a
// harness that opens the adapter and says what its backend can do.
//
//	func TestConformance(t *testing.T) {
//		pipelinetest.TestQueue(t, newHarness)
//	}
//
// The queue suite asks what Watermill's own suite (pubsub/tests.TestPubSub) does
// not; an adapter has to pass both.
package pipelinetest
