package handlers

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// FuzzCheckpoint reads checkpoints that another writer of the bucket may have changed, with a
// right SHA-256 and with any head.
func FuzzCheckpoint(f *testing.F) {
	valid := checkpoint{Object: pipeline.Object{Bucket: "b", Key: "k", ETag: "e", Size: 9}, Offset: 4, State: []byte("state"), Earlier: &earlier{Digests: map[string]string{"md5": "00"}, Reason: "r"}}
	f.Add(valid.marshal())
	for _, body := range []string{`{}`, `null`, `{"object":{"Size":1},"offset":-1}`, `{"object":{"Size":-1},"offset":1}`, `{"offset":1e300}`, `{"object":{"Size":9223372036854775807},"offset":9223372036854775807,"earlier":{}}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parseCheckpoint(data) // mostly damaged
		p, err := parseCheckpoint(fmt.Appendf(nil, "%s%s %x\n%s", checkpointMagic, checkpointVersion, sha256.Sum256(data), data))
		if err != nil {
			return
		}
		if p.Offset <= 0 || p.Offset > p.Object.Size {
			t.Errorf("it is accepted at byte %d of %d", p.Offset, p.Object.Size)
		}
		again, err := parseCheckpoint(p.marshal())
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Errorf("written again it reads as (-want +got), %v:\n%s", err, diff)
		}
	})
}
