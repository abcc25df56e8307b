package digest

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Errors of [Verifier.Save] and [Verifier.Restore].
var (
	// ErrNotResumable means that the state of an algorithm cannot be saved.
	ErrNotResumable = errors.New("state cannot be saved")
	// ErrBadState means that the bytes are not a state for this Verifier.
	ErrBadState = errors.New("not a valid digest state")
)

// errNotFromStart is the reason of a claim that is unchecked because its algorithm did not
// see the beginning of the content.
var errNotFromStart = errors.New("its algorithm did not run from the start of the content")

// The saved state of a Verifier, with big-endian integers:
//
//	digests of the whole content
//	uint16  number of divisions into parts, then for each
//	        SHA-256 of the sizes of the parts
//	        uint32 complete parts; uint64 bytes that the current part lacks; uint8 1 if
//	        the content is longer than the parts, otherwise 0
//	        digests of the current part
//	        digests of the parts' digests
//
// Digests:
//
//	uint64  bytes written so far
//	uint8   number of algorithms, then for each
//	        uint8 length, name; uint16 length, state as its package marshals it
//
// The state has neither a version nor a checksum. Package handlers puts it into a
// checkpoint, which has both. A change of this format needs a new version there.

// Size returns the number of bytes written so far, including those that were written
// before the state of [Verifier.Restore] was saved.
func (v *Verifier) Size() int64 { return v.whole.Size() }

// Save returns the state of v. [Verifier.Restore] continues from it, in this process or
// another, on any machine. v can be written to afterwards. The state does not contain the
// claims. If the state of a named algorithm cannot be saved, the error wraps
// [ErrNotResumable] and names the algorithm. Algorithms that only claims need are left out
// instead.
func (v *Verifier) Save() ([]byte, error) {
	whole, left := v.whole.savable()
	var unable []string
	for _, name := range left {
		if slices.Contains(v.names, name) {
			unable = append(unable, name)
		}
	}
	if len(unable) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(unable, ", "), ErrNotResumable)
	}
	if len(whole.names) == 0 {
		return nil, errors.New("no algorithm is named")
	}
	state, err := appendState(nil, whole)
	if err != nil {
		return nil, err
	}
	var kept []*parts
	for _, p := range v.parts {
		if inner, left := p.inner.savable(); len(left) == 0 && len(inner.names) > 0 {
			kept = append(kept, p)
		}
	}
	state = binary.BigEndian.AppendUint16(state, uint16(len(kept)))
	for _, p := range kept {
		division := p.division()
		state = append(state, division[:]...)
		state = binary.BigEndian.AppendUint32(state, uint32(p.done))
		state = binary.BigEndian.AppendUint64(state, uint64(p.left))
		state = append(state, asByte(p.over))
		if state, err = appendState(state, p.inner); err != nil {
			return nil, err
		}
		if state, err = appendState(state, &Digest{names: p.inner.names, hashes: p.outer}); err != nil {
			return nil, err
		}
	}
	return state, nil
}

// savable returns d without the algorithms whose state cannot be saved, and the names of
// these.
func (d *Digest) savable() (*Digest, []string) {
	s := &Digest{size: d.size}
	var left []string
	for i, h := range d.hashes {
		if !resumable(h) {
			left = append(left, d.names[i])
			continue
		}
		s.names = append(s.names, d.names[i])
		s.hashes = append(s.hashes, h)
	}
	return s, left
}

func appendState(state []byte, d *Digest) ([]byte, error) {
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
	return state, nil
}

func asByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// division identifies one way to divide content into parts.
func (p *parts) division() [sha256.Size]byte {
	all := make([]byte, 0, 8*len(p.sizes))
	for _, n := range p.sizes {
		all = binary.BigEndian.AppendUint64(all, uint64(n))
	}
	return sha256.Sum256(all)
}

// Restore gives v a saved state, from which it continues. Nothing may have been written to v
// before, and its algorithms must be those of the saved Verifier, or fewer. A claim whose
// algorithm did not see the beginning of the content is unchecked. Bytes that cannot be a
// state are an error that wraps [ErrBadState]; v is then unchanged. Restore does not notice
// a changed byte within the state of a hash, so the caller has to protect the bytes with a
// checksum.
func (v *Verifier) Restore(state []byte) error {
	if err := v.restore(stateReader{rest: state}); err != nil {
		return fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return nil
}

var errMisfit = errors.New("its fields do not fit together")

func (v *Verifier) restore(in stateReader) error {
	whole, err := in.digest()
	if err != nil {
		return err
	}
	for _, name := range v.names {
		if !slices.Contains(whole.names, name) {
			return fmt.Errorf("it has %s, but not %s", strings.Join(whole.names, ", "), name)
		}
	}
	saved := make(map[[sha256.Size]byte]*parts)
	for range binary.BigEndian.Uint16(in.take(2)) {
		division, p, err := in.parts()
		if err != nil {
			return err
		}
		saved[division] = p
	}
	if in.short || len(in.rest) > 0 {
		return errMisfit
	}
	for i, p := range v.parts {
		if s := saved[p.division()]; s != nil && s.done <= len(p.sizes) {
			s.sizes = p.sizes
			v.parts[i] = s
		}
	}
	// The checks still refer to the digests that are replaced.
	for i := range v.checks {
		for c := &v.checks[i]; c != nil; c = c.or {
			c.restore(whole, saved)
		}
	}
	v.whole = whole
	return nil
}

// restore makes the check refer to the restored digests, if these include its algorithm.
func (c *check) restore(whole *Digest, saved map[[sha256.Size]byte]*parts) {
	switch {
	case c.err != nil:
	case c.parts == nil:
		if !slices.Contains(whole.names, c.algorithm) {
			c.err = errNotFromStart
		}
	default:
		s := saved[c.parts.division()]
		if s == nil || !slices.Contains(s.inner.names, c.algorithm) {
			c.err = errNotFromStart
			return
		}
		c.parts = s
	}
}

// stateReader takes a state apart. When a take asks for more bytes than are left, the
// reader becomes short, and that take and all later ones return zeros.
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

// digest takes the state of a Digest.
func (r *stateReader) digest() (*Digest, error) {
	size := binary.BigEndian.Uint64(r.take(8))
	if size > math.MaxInt64/2 { // so that later writes cannot overflow it
		return nil, fmt.Errorf("it has a size of %d bytes", size)
	}
	d := &Digest{size: int64(size)}
	for range r.take(1)[0] {
		name := string(r.take(int(r.take(1)[0])))
		inner := r.take(int(binary.BigEndian.Uint16(r.take(2))))
		if r.short {
			break
		}
		a, err := lookupClaimed(name)
		if err != nil {
			return nil, err
		}
		h := a.make()
		if !resumable(h) || slices.Contains(d.names, name) {
			return nil, fmt.Errorf("it has an unexpected state of %s", name)
		}
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(inner); err != nil {
			return nil, fmt.Errorf("restore the state of %s: %w", name, err)
		}
		d.names = append(d.names, name)
		d.hashes = append(d.hashes, h)
	}
	if r.short || len(d.names) == 0 {
		return nil, errMisfit
	}
	return d, nil
}

// parts takes the division into parts and the state of the parts' digests. It cannot return
// the sizes of the parts, because the state contains only their SHA-256.
func (r *stateReader) parts() ([sha256.Size]byte, *parts, error) {
	division := [sha256.Size]byte(r.take(sha256.Size))
	p := &parts{
		done: int(binary.BigEndian.Uint32(r.take(4))),
		left: int64(binary.BigEndian.Uint64(r.take(8))),
		over: r.take(1)[0] != 0,
	}
	if r.short || p.done < 0 || p.left < 0 {
		return division, nil, errMisfit
	}
	var err error
	if p.inner, err = r.digest(); err != nil {
		return division, nil, err
	}
	outer, err := r.digest()
	if err != nil {
		return division, nil, err
	}
	if !slices.Equal(outer.names, p.inner.names) {
		return division, nil, errMisfit
	}
	p.outer = outer.hashes
	return division, p, nil
}
