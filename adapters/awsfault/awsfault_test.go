package awsfault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/bucketsum/bucketsum/adapters/awsfault"
)

// ask returns the error of the SDK for an answer of a server.
func ask(t *testing.T, credentials aws.CredentialsProvider, answer http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	c := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials, Retryer: aws.NopRetryer{}})
	_, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String("https://sqs.us-east-1.amazonaws.com/123456789012/q")})
	if err == nil {
		t.Fatal("there is an answer")
	}
	return err
}

func good() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
	})
}

func fails(err error) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err })
}

func TestBrief(t *testing.T) {
	denied := ask(t, good(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-RequestId", "1-2-3")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"__type":"com.amazonaws.sqs#AccessDenied","message":"You may not."}`)
	})
	if got, want := awsfault.Brief(denied).Error(), "AccessDenied of GetQueueAttributes: You may not. (request 1-2-3)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wordless := fmt.Errorf("x: %w", &smithy.OperationError{ServiceID: "S3", OperationName: "HeadBucket", Err: &smithy.GenericAPIError{Code: "NotFound"}})
	if got := awsfault.Brief(wordless).Error(); got != "NotFound of HeadBucket" {
		t.Errorf("got %q", got)
	}
	page := ask(t, good(), func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome</html>") })
	if !awsfault.Foreign(page) || awsfault.Foreign(denied) {
		t.Errorf("foreign are %v: %t, %v: %t", page, awsfault.Foreign(page), denied, awsfault.Foreign(denied))
	}
	gone := ask(t, good(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if got := awsfault.Brief(gone); got.Error() != "GetQueueAttributes: EOF" || !errors.Is(got, gone) {
		t.Errorf("got %v of %v", got, gone)
	}
	if plain := errors.New("plain"); awsfault.Brief(plain) != plain {
		t.Error("an error that is not of the SDK is another one")
	}
}

func TestCredentials(t *testing.T) {
	for want, cause := range map[string]error{
		"there are no credentials: set AWS_PROFILE,":                      fmt.Errorf("no role, %w", &smithy.OperationError{ServiceID: "ec2imds", OperationName: "GetMetadata", Err: errors.New("off")}),
		"run aws sso login":                                               &ssocreds.InvalidTokenError{},
		"correct it, or allow sts:AssumeRole: AccessDenied of AssumeRole": &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{Code: "AccessDenied"}},
	} {
		err := ask(t, fails(cause), func(http.ResponseWriter, *http.Request) {})
		if got := awsfault.Credentials(err); got == nil || !strings.Contains(got.Error(), want) || strings.Contains(got.Error(), "get identity") || !errors.Is(got, cause) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	for _, err := range []error{nil, &net.DNSError{}, ask(t, good(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })} {
		if got := awsfault.Credentials(err); got != nil {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestConfig(t *testing.T) {
	cause := errors.New("cause")
	for _, tc := range []struct {
		err   error
		query string
		want  string
	}{
		{cause, "region=x&use=y", "cause"},
		{cause, "regoin=x", `unknown parameter "regoin"; did you mean region?`},
		{cause, "colour=x", `unknown parameter "colour"; valid are region, endpoint, `},
		{config.SharedConfigProfileNotExistError{Profile: "work"}, "", `has no profile "work": correct AWS_PROFILE or profile=…`},
	} {
		query, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := awsfault.Config(tc.err, query, "use"); !strings.Contains(got.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.query, got, tc.want)
		}
	}
}
