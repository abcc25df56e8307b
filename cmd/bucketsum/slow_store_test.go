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

// slowStore is an empty S3 store that does not answer until the test lets it. The work
// on its objects takes until then.
type slowStore struct {
	flag  string       // the bucket of it, as serve gets it
	asked atomic.Int64 // for objects
	// answer lets the store answer from now on.
	answer func()
}

// startSlowStore starts a store with a bucket of this name.
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
