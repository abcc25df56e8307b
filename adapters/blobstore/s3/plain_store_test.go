package s3_test

import (
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
)

// plainStore is a store whose conditional writes a test decides. It speaks as much of S3's protocol as a
// store needs: PUT, GET, HEAD and DELETE of objects with their metadata. It stands in for
// stores of that kind; neither versitygw nor moto is one.
type plainStore struct {
	mu      sync.Mutex
	objects map[string]plainObject // by path
	// judge answers a PUT or DELETE with a status other than 0 instead of doing it. tag is the
	// ETag of the object, without quotes; empty if there is none. nil: conditions are ignored.
	judge func(r *http.Request, tag string) (status int)
}

type plainObject struct {
	body   []byte
	header http.Header
}

func (s *plainStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		drivertest.Answer(w, 400, "IncompleteBody")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judge != nil && (r.Method == http.MethodPut || r.Method == http.MethodDelete) {
		tag := ""
		if o, ok := s.objects[r.URL.Path]; ok {
			tag = strings.Trim(o.header.Get("Etag"), `"`)
		}
		if status := s.judge(r, tag); status != 0 {
			drivertest.Answer(w, status, http.StatusText(status))
			return
		}
	}
	switch r.Method {
	case http.MethodPut:
		o := plainObject{body, http.Header{"Etag": {fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(body)))}}}
		for k, v := range r.Header {
			if strings.HasPrefix(k, "X-Amz-Meta-") {
				o.header[k] = v
			}
		}
		if s.objects == nil {
			s.objects = make(map[string]plainObject)
		}
		s.objects[r.URL.Path] = o
		maps.Copy(w.Header(), o.header)
	case http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		o, ok := s.objects[r.URL.Path]
		if !ok {
			drivertest.Answer(w, 404, "NoSuchKey")
			return
		}
		maps.Copy(w.Header(), o.header)
		w.Header().Set("Content-Length", fmt.Sprint(len(o.body)))
		_, _ = w.Write(o.body)
	}
}
