package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/bucketsum/bucketsum/adapters/awsfault"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// code returns SQS's error code, without the prefix that its older protocol adds;
// "" if the error is not from SQS.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	c := api.ErrorCode()
	return strings.TrimSuffix(c[strings.LastIndexByte(c, '.')+1:], "Exception")
}

func isMissing(err error) bool {
	c := code(err)
	return c == "NonExistentQueue" || c == "QueueDoesNotExist"
}

func isDenied(err error) bool {
	switch code(err) {
	case "AccessDenied", "InvalidAddress":
		return true
	}
	return false
}

// isStale reports whether SQS does not accept the credentials.
func isStale(err error) bool {
	switch code(err) {
	case "ExpiredToken", "TokenRefreshRequired", "InvalidToken", "InvalidClientTokenId", "InvalidAccessKeyId",
		"UnrecognizedClient", "InvalidSecurity", "SignatureDoesNotMatch":
		return true
	}
	return false
}

// isSkewed reports whether the time of a request is too far from that of SQS.
func isSkewed(err error) bool {
	switch code(err) {
	case "RequestExpired", "RequestTimeTooSkewed":
		return true
	}
	return false
}

// isGone reports whether SQS says that a receipt handle holds its message no more:
// the message is visible, was received again or deleted, or the queue was deleted.
// For some of these SQS has no code of its own and answers InvalidParameterValue
// to a handle that was good.
func isGone(err error) bool {
	switch code(err) {
	case "ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue", "InvalidIdFormat":
		return true
	}
	return isMissing(err)
}

// explained adds to an error of opening a queue what to do about it.
func (c *client) explained(err error) error {
	if none := awsfault.Credentials(err); none != nil {
		return none
	}
	cause := awsfault.Brief(err)
	switch {
	case unreached.Why(err) != "": // the caller says it
		return cause
	case awsfault.Foreign(err):
		return awsfault.Instead("what answers there is no SQS: correct endpoint=… in the URL or AWS_ENDPOINT_URL", err)
	case isSkewed(err):
		return fmt.Errorf("the clock of this machine is wrong: set it: %w", cause)
	case isMissing(err):
		return fmt.Errorf("queue %s does not exist in region %s: create it or correct the URL; queues are never created here: %w",
			c.address.queue, c.aws.Region, cause)
	case isStale(err):
		return fmt.Errorf("no access to queue %s: the credentials have expired or are not valid, or the clock of this machine is wrong: renew them: %w", c.address.queue, cause)
	case isDenied(err):
		return fmt.Errorf("no access to queue %s: let these credentials do sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage on it: %w",
			c.address.queue, cause)
	case errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("read the attributes of queue %s (are region, credentials and endpoint right?): %w", c.address.queue, cause)
	}
}
