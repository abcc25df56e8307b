// Package pipelinetest has the conformance suites that adapters must pass, like
// gocloud's drivertest: the test of an adapter calls a suite with a harness, which opens
// the adapter and tells what its backend can do.
//
//	func TestConformance(t *testing.T) {
//		pipelinetest.TestQueue(t, newHarness)
//	}
//
// The queue suite tests what Watermill's own suite (pubsub/tests.TestPubSub) does not. An
// adapter has to pass both.
package pipelinetest
