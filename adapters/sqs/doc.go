// Package sqs is the queue driver of Amazon SQS.
//
// A queue is named by its URL with one of two schemes instead of https:
//
//	awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects
//	sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo
//
// awssqs receives through gocloud.dev: many messages at a time, in no order. sqs
// receives through watermill-aws: one message at a time of each message group of a
// FIFO queue, in order; after a nack the same message comes again, and its group
// waits for it. Both send through watermill-aws, and settle messages by receipt
// handle in batches of up to ten.
//
// A lease extends the message's visibility until the message is acked (deleted,
// and SQS has confirmed it), nacked (visible again after a delay) or lost. So a
// queue can have a visibility timeout of minutes, which is how soon another
// worker takes over from one that crashed, and work can take hours: at most 12,
// which is as long as SQS lets a message be held in total
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html).
//
// Parameters of these URLs are visibility (how far an extension reaches, as in
// 2m; default: the queue's own timeout), waittime (of a long poll; default
// 20s), raw (false: awssqs removes the SNS envelope), and those of
// gocloud.dev/aws, of which region and profile are the most used. The region
// defaults to the one in the host. Credentials, and an endpoint other than
// AWS's (AWS_ENDPOINT_URL), come from the SDK's default chain. When SQS refuses
// credentials, the driver asks their provider for new ones.
//
// Message attributes become the metadata of a received message, byte for byte as
// they were sent, whatever type they have: a number is its text, and a binary
// attribute x becomes x.base64 ([SuffixBinary]). gocloud's escapes are decoded only
// inside an SNS envelope (raw=false).
//
// The driver never creates queues.
package sqs

// The schemes of queue URLs.
const (
	SchemeParallel = "awssqs"
	SchemeOrdered  = "sqs"
)
