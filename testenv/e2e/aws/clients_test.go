package aws_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// clients returns clients of a server in the rendered region.
func clients(t *testing.T, server awsenv.Server, who session) (*s3.Client, *sqs.Client) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: trusting(t, server.Authority)}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
	})
	return s3.New(s3.Options{
			Region: renderedRegion, BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials, HTTPClient: client,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}), sqs.New(sqs.Options{
			Region: renderedRegion, BaseEndpoint: &server.URL, Credentials: credentials, HTTPClient: client, Retryer: aws.NopRetryer{},
		})
}

// assume creates a role with documents as Terraform renders them. It returns its policy as moto has it, and the
// credentials of a session.
func (d *deployment) assume(who string, policy json.RawMessage) (awsenv.Policy, session) {
	d.t.Helper()
	role := d.Documents.Names.Queues["work"] + "-" + who
	d.cli("iam", "create-role", "--role-name", role, "--assume-role-policy-document", compact(d.t, d.Documents.TrustPolicies[who]))
	d.cli("iam", "put-role-policy", "--role-name", role, "--policy-name", who, "--policy-document", compact(d.t, policy))
	var got struct{ PolicyDocument json.RawMessage }
	d.must(json.Unmarshal(d.cli("iam", "get-role-policy", "--role-name", role, "--policy-name", who), &got))
	var assumed struct{ Credentials session }
	d.must(json.Unmarshal(d.cli("sts", "assume-role", "--role-session-name", who, "--role-arn", "arn:aws:iam::"+renderedAccount+":role/"+role), &assumed))
	return d.parse(got.PolicyDocument), assumed.Credentials
}

// trusting returns a configuration that trusts the certificate in a file, or nil without
// a file.
func trusting(t *testing.T, authority string) *tls.Config {
	t.Helper()
	if authority == "" {
		return nil
	}
	certificate, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		t.Fatal("there is no certificate")
	}
	return &tls.Config{RootCAs: roots}
}

func queueURL(name string) string {
	return "https://sqs." + renderedRegion + ".amazonaws.com/" + renderedAccount + "/" + name
}

func queueARN(name string) string {
	return "arn:aws:sqs:" + renderedRegion + ":" + renderedAccount + ":" + name
}

// hostOf returns the host of a URL.
func hostOf(rawURL string) string {
	_, host, _ := strings.Cut(rawURL, "://")
	return strings.FieldsFunc(host, func(r rune) bool { return strings.ContainsRune("/?", r) })[0]
}

// nameOf returns the last part of an ARN or of the URL of a queue.
func nameOf(s string) string {
	s, _, _ = strings.Cut(s, "?")
	return s[strings.LastIndexAny(s, ":/")+1:]
}

// compact returns a JSON document without white space.
func compact(t *testing.T, document any) string {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
