package cephenv

import (
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// MakeTopic makes a topic, to which notifications can send events, and returns its ARN. The
// attributes are those of Ceph, such as push-endpoint.
func MakeTopic(t testing.TB, s awsenv.Server, name string, attributes map[string]string) string {
	t.Helper()
	form := url.Values{"Action": {"CreateTopic"}, "Name": {name}}
	n := 0
	for key, value := range attributes {
		n++
		form.Set(fmt.Sprintf("Attributes.entry.%d.key", n), key)
		form.Set(fmt.Sprintf("Attributes.entry.%d.value", n), value)
	}
	status, answer := post(t, s, form.Encode())
	var made struct {
		ARN string `xml:"CreateTopicResult>TopicArn"`
	}
	if err := xml.Unmarshal(answer, &made); status != http.StatusOK || err != nil || made.ARN == "" {
		t.Fatalf("make topic %s: status %d, %v: %s", name, status, err, answer)
	}
	return made.ARN
}

// post sends a form, as the AWS CLI does for SNS.
func post(t testing.TB, s awsenv.Server, form string) (status int, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials := aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(form)))
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, sum, "sns", awsenv.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(response.Body, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// plain keeps no connections.
var plain = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// ask returns an error if a server does not answer at all.
func ask(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := plain.Do(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
