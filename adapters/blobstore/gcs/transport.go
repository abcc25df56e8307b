package gcs

import (
	"net/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// transport does what the API's package does not let callers ask for. It asks for
// content that is stored packed as it is, else the store unpacks it, and asks again
// for what the store could not answer at once.
type transport struct{ http.RoundTripper }

// attempts is how often the store is asked for the same.
const attempts = 3

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return t.RoundTripper.RoundTrip(r) // what is written, the pipeline tries again
	}
	r = r.Clone(r.Context())
	if r.URL.Query().Get("alt") == "media" {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	for failures := 1; ; failures++ {
		answer, err := t.RoundTripper.RoundTrip(r)
		busy := err == nil && (answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= http.StatusInternalServerError)
		if err == nil && !busy || failures == attempts {
			return answer, err
		}
		if busy {
			_ = answer.Body.Close() // it only says that there is none
		}
		if !driver.Backoff.Wait(r.Context(), failures) {
			return nil, r.Context().Err()
		}
	}
}
