// Package sqstest is a stand-in for SQS in tests: a server in this process that
// behaves as SQS does when time passes, calls fail and workers compete, and a suite
// of tests that also runs on other servers.
//
// The server speaks the AWS JSON protocol. It is an http.RoundTripper, so that
// the SDK's client reaches it without a network (and in a testing/synctest
// bubble, where its clock is the bubble's), and an http.Handler:
//
//	server := sqstest.NewServer()
//	client := sqs.New(sqs.Options{
//		Region:      "us-east-1",
//		Credentials: credentials,
//		HTTPClient:  &http.Client{Transport: server},
//	})
//
// It has no goroutines of its own and nothing to close.
//
// It has no policies, tags and encryption, and none of the delays between a change
// and its effect that a distributed SQS has: counts are exact, standard queues are in
// order, and each receive sees every message.
package sqstest
