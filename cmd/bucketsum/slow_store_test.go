package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// slowStore is a store that speaks S3 and has nothing in it, which it says only
// when it may answer: whoever asks for an object is at work until then.
type slowStore struct {
	flag  string       // the bucket of it, as serve gets it
	asked atomic.Int64 // for objects
	// answer lets it answer, from then on.
	answer func()
}

// startSlowStore starts one with a bucket of this name.
func startSlowStore(t *testing.T, bucket string) *slowStore {
	t.Helper()
	may := make(chan struct{})
	s := &slowStore{answer: sync.OnceFunc(func() { close(may) })}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Trim(r.URL.Path, "/") == bucket {
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprintf(w, `<ListBucketResult><Name>%s</Name></ListBucketResult>`, bucket)
			return
		}
		s.asked.Add(1)
		<-may
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
	}))
	t.Cleanup(server.Close)
	s.flag = bucket + "=s3://" + bucket + "?region=us-east-1&use_path_style=true&endpoint=" + server.URL
	return s
}
