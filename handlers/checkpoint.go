package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// checkpoint is how far the reading of one version of an object is.
type checkpoint struct {
	Object  pipeline.Object `json:"object"` // its Sequencer does not matter
	Offset  int64           `json:"offset"` // bytes that State has seen
	State   []byte          `json:"state"`  // of a digest.Verifier
	Earlier *earlier        `json:"earlier,omitempty"`
}

// earlier is what a first reading found that is not what the store claims.
type earlier struct {
	Digests map[string]string `json:"digests"`
	Reason  string            `json:"reason"`
}

// checkpointHead is the beginning of a checkpoint. The SHA-256 of the rest follows
// in hexadecimal, a newline, and the rest in JSON.
const checkpointHead = "bucketsum checkpoint 1 "

var errForeign = errors.New("it is of another version of the object")

func (p checkpoint) marshal() []byte {
	rest, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings, numbers and bytes
	}
	sum := sha256.Sum256(rest)
	return append([]byte(checkpointHead+hex.EncodeToString(sum[:])+"\n"), rest...)
}

// parseCheckpoint is the inverse of marshal. What is damaged, or from elsewhere, is
// an error.
func parseCheckpoint(data []byte) (checkpoint, error) {
	var p checkpoint
	head, rest, ok := bytes.Cut(data, []byte("\n"))
	sum, known := bytes.CutPrefix(head, []byte(checkpointHead))
	if !ok || !known {
		return p, errors.New("this bucketsum did not write it")
	}
	if is := sha256.Sum256(rest); hex.EncodeToString(is[:]) != string(sum) {
		return p, errors.New("it is damaged")
	}
	if err := json.Unmarshal(rest, &p); err != nil {
		return p, fmt.Errorf("it cannot be read: %w", err)
	}
	if p.Offset <= 0 || p.Offset > p.Object.Size {
		return p, fmt.Errorf("byte %d of %d is no place to go on at", p.Offset, p.Object.Size)
	}
	return p, nil
}

// isOf reports whether the checkpoint is of this very version.
func (p checkpoint) isOf(o pipeline.Object) bool {
	return p.Object.SameVersion(o) && p.Object.Size == o.Size
}
