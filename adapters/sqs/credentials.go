package sqs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// renewing makes a client load its credentials again after SQS refused them: their
// provider may have better ones by now. The SDK by itself keeps credentials until
// the expiry that came with them, if one did.
func renewing(credentials aws.CredentialsProvider) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		cache, ok := credentials.(*aws.CredentialsCache)
		if !ok {
			return nil // the SDK keeps none
		}
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Renew", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			if isStale(err) {
				cache.Invalidate()
			}
			return out, metadata, err
		}), middleware.Before)
	}
}
