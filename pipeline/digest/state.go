package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Errors of [Digest.Save] and [Restore].
var (
	// ErrNotResumable is wrapped when an algorithm's state cannot be saved.
	ErrNotResumable = errors.New("state cannot be saved")
	// ErrBadState is wrapped when bytes are no state that Save returned, or are
	// one of another version.
	ErrBadState = errors.New("not a valid digest state")
)

// A saved state is, integers big-endian:
//
//	stateMagic
//	uint8   stateVersion
//	uint64  bytes written so far
//	uint8   number of algorithms, then for each
//	        uint8 length, name; uint16 length, state as its package marshals it
//	SHA-256 of all of the above
//
// The hash at the end is against rot and mix-ups. It is no signature: who can
// write states can write wrong ones.
const (
	stateMagic   = "bucketsum state\n"
	stateVersion = 1
	// stateLimit is the most that Restore looks at; states are far smaller.
	stateLimit = 64 << 10
)

// Save returns the state of d, from which [Restore] continues, in this process
// or another. d can be written to afterwards. The error wraps [ErrNotResumable]
// and names the algorithms that stand in the way; see [Resumable].
func (d *Digest) Save() ([]byte, error) {
	if len(d.hashes) == 0 {
		return nil, errors.New("no algorithm is named")
	}
	var unable []string
	for i, h := range d.hashes {
		if !resumable(h) {
			unable = append(unable, d.names[i])
		}
	}
	if len(unable) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(unable, ", "), ErrNotResumable)
	}
	state := append([]byte(stateMagic), stateVersion)
	state = binary.BigEndian.AppendUint64(state, uint64(d.size))
	state = append(state, byte(len(d.names)))
	for i, h := range d.hashes {
		inner, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("save the state of %s: %w", d.names[i], err)
		}
		state = append(state, byte(len(d.names[i])))
		state = append(state, d.names[i]...)
		state = binary.BigEndian.AppendUint16(state, uint16(len(inner)))
		state = append(state, inner...)
	}
	sum := sha256.Sum256(state)
	return append(state, sum[:]...), nil
}

// Restore returns the Digest that was saved. Its [Digest.Size] tells where to
// read on and its [Digest.Algorithms] what it computes. Bytes that are damaged,
// of another version or from elsewhere are an error that wraps [ErrBadState].
func Restore(state []byte) (*Digest, error) { return restoreOf(state, lookup) }

// restoreOf restores a Digest of algorithms that find knows.
func restoreOf(state []byte, find func(name string) (algorithm, error)) (*Digest, error) {
	d, err := restore(state, find)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return d, nil
}

func restore(state []byte, find func(name string) (algorithm, error)) (*Digest, error) {
	rest, ok := bytes.CutPrefix(state, []byte(stateMagic))
	if !ok || len(state) > stateLimit {
		return nil, errors.New("bucketsum did not write it")
	}
	// The version comes before the checksum, which another version may have
	// elsewhere.
	if len(rest) > 0 && rest[0] != stateVersion {
		return nil, fmt.Errorf("it has version %d, this bucketsum reads version %d", rest[0], stateVersion)
	}
	if len(rest) < sha256.Size {
		return nil, errors.New("it is cut short")
	}
	end := len(state) - sha256.Size
	if sum := sha256.Sum256(state[:end]); !bytes.Equal(sum[:], state[end:]) {
		return nil, errors.New("it is damaged")
	}
	in := stateReader{rest: state[len(stateMagic)+1 : end]}
	size := binary.BigEndian.Uint64(in.take(8))
	if size > math.MaxInt64/2 { // so that what is written next does not overflow it
		return nil, fmt.Errorf("it claims %d bytes", size)
	}
	d := &Digest{size: int64(size)}
	for range in.take(1)[0] {
		name := string(in.take(int(in.take(1)[0])))
		inner := in.take(int(binary.BigEndian.Uint16(in.take(2))))
		if in.short {
			break
		}
		a, err := find(name)
		if err != nil {
			return nil, err
		}
		h := a.make()
		if !resumable(h) || slices.Contains(d.names, name) {
			return nil, fmt.Errorf("it has a state of %s out of place", name)
		}
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(inner); err != nil {
			return nil, fmt.Errorf("restore the state of %s: %w", name, err)
		}
		d.names = append(d.names, name)
		d.hashes = append(d.hashes, h)
	}
	if in.short || len(in.rest) > 0 || len(d.names) == 0 {
		return nil, errors.New("its parts do not fit together")
	}
	return d, nil
}

// stateReader takes a state apart. After the first take of more than there is,
// it is short and gives zeros.
type stateReader struct {
	rest  []byte
	short bool
}

func (r *stateReader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return make([]byte, n)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
