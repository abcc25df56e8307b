package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
)

// ErrClosed is the error of what was closed.
var ErrClosed = errors.New("closed")

// code returns the error code that SQS gave, without the prefix that the older
// of its protocols has; "" if the error is not from SQS.
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

// isGone reports whether SQS says that a receipt handle holds nothing any more:
// its message is visible, was received again, was deleted, or the queue was.
// SQS has no code of its own for some of that; InvalidParameterValue is what it
// says of a handle that was good.
func isGone(err error) bool {
	switch code(err) {
	case "ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue", "InvalidIdFormat":
		return true
	}
	return isMissing(err)
}

// entryError is the failure of one entry of a batch. It is a smithy.APIError.
type entryError struct {
	code, message string
	sender        bool
}

func (e *entryError) Error() string        { return fmt.Sprintf("%s: %s", e.code, e.message) }
func (e *entryError) ErrorCode() string    { return e.code }
func (e *entryError) ErrorMessage() string { return e.message }
func (e *entryError) ErrorFault() smithy.ErrorFault {
	if e.sender {
		return smithy.FaultClient
	}
	return smithy.FaultServer
}

// explained adds to the error of a start what to do about it.
func (q *openQueue) explained(err error) error {
	switch {
	case isMissing(err):
		return fmt.Errorf("queue %s does not exist in region %s: create it or correct the URL; queues are never created here: %w",
			q.address.queue, q.aws.Region, err)
	case isStale(err):
		return fmt.Errorf("no access to queue %s: the credentials have expired or are not valid: renew them: %w", q.address.queue, err)
	case isDenied(err):
		return fmt.Errorf("no access to queue %s: let these credentials do sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage on it: %w",
			q.address.queue, err)
	case errors.Is(err, context.Canceled):
		return err
	default:
		return fmt.Errorf("read the attributes of queue %s (are region, credentials and endpoint right?): %w", q.address.queue, err)
	}
}
