package gcs

import (
	"net/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// transport does what the API's package has no option for. It asks for compressed content as it
// is stored, which the store would otherwise decompress, and repeats a request that the store
// could not answer.
type transport struct{ http.RoundTripper }

// attempts is how often a request is sent at most.
const attempts = 3

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return t.RoundTripper.RoundTrip(r) // the pipeline repeats writes
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
			_ = answer.Body.Close() // it has no content
		}
		if !driver.Backoff.Wait(r.Context(), failures) {
			return nil, r.Context().Err()
		}
	}
}
