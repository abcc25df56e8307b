package awsenv

import (
	"net/url"
	"testing"
)

// QueueURL returns the URL of a queue as bucketsum takes it, from the one that SQS has told.
func QueueURL(t testing.TB, queueURL, scheme string) string {
	t.Helper()
	u, err := url.Parse(queueURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme, u.RawQuery = scheme, "region="+Region
	return u.String()
}
