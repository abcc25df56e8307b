// Package sqstest is an SQS in this process, for tests: a server that behaves
// as SQS does under time, failure and competition, and the suite of tests that
// holds it to what other servers do.
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
// What it leaves out: policies, tags, encryption and the delay between
// a change and its effect that a distributed SQS has. Counts are exact, standard queues are
// in order, and each receive sees every message.
package sqstest
