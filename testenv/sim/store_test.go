package sim

import (
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
)

// TestStore proves that the model of S3, without faults, behaves as the real stores do: it passes their suite.
func TestStore(t *testing.T) {
	for name, versioned := range map[string]bool{"versions": true, "no versions": false} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.TestStore(t, func(*testing.T) pipelinetest.Store { return harness(newStore("model", versioned)) })
		})
	}
}

func harness(s *store) pipelinetest.Store {
	b := &bucket{store: s}
	return pipelinetest.Store{
		Name:     s.name,
		Versions: s.versioned,
		Open: func(_ *testing.T, algorithms ...string) pipeline.Bucket {
			return blobstore.New(b, s.name, blobstore.Config{Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put: func(_ *testing.T, key, content string) {
			b.direct.Lock()
			defer b.direct.Unlock()
			s.put(key, &version{data: []byte(content), byUser: true})
		},
		Get: func(_ *testing.T, key string) (string, bool) {
			b.direct.Lock()
			defer b.direct.Unlock()
			v := s.current(key)
			if v == nil {
				return "", false
			}
			return string(v.data), true
		},
		Delete: func(_ *testing.T, key string) {
			b.direct.Lock()
			defer b.direct.Unlock()
			if !s.versioned {
				s.remove(key, true)
			}
			for s.current(key) != nil { // for good, as in the tests of S3
				s.removeVersion(key, s.current(key))
			}
		},
		Keys: func(*testing.T) []string {
			b.direct.Lock()
			defer b.direct.Unlock()
			var keys []string
			for key := range s.keys {
				if s.current(key) != nil {
					keys = append(keys, key)
				}
			}
			return keys
		},
	}
}
