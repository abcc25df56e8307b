package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// checkpoint is how far the reading of one version of an object has come.
type checkpoint struct {
	Object  pipeline.Object `json:"object"` // its Sequencer is not used
	Offset  int64           `json:"offset"` // number of bytes that State has seen
	State   []byte          `json:"state"`  // of a digest.Verifier
	Earlier *earlier        `json:"earlier,omitempty"`
}

// earlier is what a first reading found, if that differs from what the store claims.
type earlier struct {
	Digests map[string]string `json:"digests"`
	Reason  string            `json:"reason"`
}

// A checkpoint is stored as checkpointMagic, the version, a space, the SHA-256 of the body in
// hexadecimal, a newline, and the body in JSON. The version covers the body and the state of
// the digests in it. The SHA-256 shows damage; it is no signature.
const (
	checkpointMagic   = "bucketsum checkpoint "
	checkpointVersion = "2"
)

var errForeign = errors.New("it is of another version of the object")

func (p checkpoint) marshal() []byte {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // cannot happen: strings, numbers and bytes
	}
	return fmt.Appendf(nil, "%s%s %x\n%s", checkpointMagic, checkpointVersion, sha256.Sum256(body), body)
}

// parseCheckpoint is the inverse of marshal. Damaged, foreign and older checkpoints are errors.
func parseCheckpoint(data []byte) (checkpoint, error) {
	var p checkpoint
	head, body, _ := bytes.Cut(data, []byte("\n"))
	head, ours := bytes.CutPrefix(head, []byte(checkpointMagic))
	version, sum, _ := bytes.Cut(head, []byte(" "))
	switch {
	case !ours:
		return p, errors.New("bucketsum did not write it")
	case string(version) != checkpointVersion:
		return p, fmt.Errorf("it has version %.20q, this bucketsum reads version %s", version, checkpointVersion)
	case fmt.Sprintf("%x", sha256.Sum256(body)) != string(sum):
		return p, errors.New("it is damaged")
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("it cannot be read: %w", err)
	}
	if p.Offset <= 0 || p.Offset > p.Object.Size {
		return p, fmt.Errorf("it is at byte %d of %d", p.Offset, p.Object.Size)
	}
	return p, nil
}

// isOf reports whether the checkpoint is of exactly this version of the object.
func (p checkpoint) isOf(o pipeline.Object) bool {
	return p.Object.SameVersion(o) && p.Object.Size == o.Size
}
