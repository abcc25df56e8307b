// Package awsfault says in plain words what errors of the AWS SDK mean that are the same for all services: missing
// credentials, a profile that does not exist, a parameter of a URL that the SDK does not have. It shortens all others.
package awsfault

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// Brief returns an error that says the same as one of the SDK in fewer words: what the service answered, or why there was
// no answer. It wraps the error.
func Brief(err error) error {
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return &brief{op, err}
	}
	return err
}

type brief struct {
	op  *smithy.OperationError
	err error
}

func (b *brief) Unwrap() error { return b.err }

// instead is an error whose text says all.
type instead struct {
	text string
	err  error
}

func (i *instead) Unwrap() error { return i.err }
func (i *instead) Error() string { return i.text }

// Instead returns an error with a text in place of one of the SDK, which it wraps.
func Instead(text string, err error) error { return &instead{text, err} }

// Error is called for few of the errors: that an object does not exist is an everyday answer.
func (b *brief) Error() string {
	if api, ok := errors.AsType[smithy.APIError](b.op.Err); ok {
		text := api.ErrorCode() + " of " + b.op.Operation()
		if api.ErrorMessage() != "" { // the answer to HEAD has none
			text += ": " + api.ErrorMessage()
		}
		return text + request(b.op.Err)
	}
	var last error = b.op.Err
	if sent, ok := errors.AsType[*url.Error](last); ok {
		last = sent.Err // the address is that of the setting
	} else if unread, ok := errors.AsType[*smithy.DeserializationError](last); ok {
		last = unread
	}
	return b.op.Operation() + ": " + last.Error()
}

// request names a request as the support of AWS wants it.
func request(err error) string {
	var id interface{ ServiceRequestID() string }
	if errors.As(err, &id) && id.ServiceRequestID() != "" {
		return " (request " + id.ServiceRequestID() + ")"
	}
	return ""
}

// Credentials returns why there are no credentials, and what to do; nil if the error is about something else.
func Credentials(err error) error {
	if _, ok := errors.AsType[*ssocreds.InvalidTokenError](err); ok {
		return Instead("the sign-in for the credentials has expired: run aws sso login", err)
	}
	if fails, ok := errors.AsType[*processcreds.ProviderError](err); ok {
		return Instead(fmt.Sprintf("the credential_process of the AWS configuration fails: run it in a shell: %v", fails.Err), err)
	}
	for op := range operations(err) {
		switch op.Service() {
		case "ec2imds": // the last that is asked, when there is nothing else
			return Instead("there are no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine or pod a role", err)
		case "STS":
			return Instead(fmt.Sprintf("the role for the credentials cannot be taken: correct it, or allow sts:%s: %v", op.Operation(), &brief{op, err}), err)
		}
	}
	return nil
}

// operations yields all operations of the SDK in an error, from the outermost on.
func operations(err error) func(func(*smithy.OperationError) bool) {
	return func(yield func(*smithy.OperationError) bool) {
		for {
			op, ok := errors.AsType[*smithy.OperationError](err)
			if !ok || !yield(op) {
				return
			}
			err = op.Err
		}
	}
}

// Foreign reports whether a server has answered in a way that the service never does, as a web server does at the
// address of an endpoint.
func Foreign(err error) bool {
	_, ok := errors.AsType[*smithy.DeserializationError](err)
	var response *smithyhttp.ResponseError
	return ok && errors.As(err, &response)
}

// parameters are those of URLs that gocloud gives to the SDK.
var parameters = []string{
	"region", "endpoint", "profile", "role", "role_session_name", "role_external_id", "role_duration", "web_identity_token_file", "anonymous",
	"dualstack", "fips", "hostname_immutable", "rate_limiter_capacity", "request_checksum_calculation", "response_checksum_validation",
}

// Config says more about an error of loading the configuration with the parameters of a URL. more: parameters of the URL
// that the SDK does not get.
func Config(err error, given url.Values, more ...string) error {
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return fmt.Errorf("the AWS configuration has no profile %q: correct AWS_PROFILE or profile=… in the URL, or run aws configure --profile %s", missing.Profile, missing.Profile)
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok && number.Func == "ParseBool" {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if given.Get(name) == number.Num {
				return fmt.Errorf("parameter %s of the URL is neither true nor false", name)
			}
		}
	}
	valid := slices.Concat(parameters, more)
	var unknown []string
	for name := range given {
		if !slices.Contains(valid, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return err
	}
	name := slices.Min(unknown)
	if meant := suggest.Or(name, valid); meant != "" { // the list is long
		return fmt.Errorf("unknown parameter %q%s", name, meant)
	}
	return suggest.Unknown("parameter", name, valid)
}
