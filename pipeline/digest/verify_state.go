package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The saved state of a Verifier is, integers big-endian:
//
//	verifierMagic
//	uint8   verifierVersion
//	uint32  length, state of the digests of the whole content
//	uint16  number of divisions into parts, then for each
//	        SHA-256 of the sizes of the parts
//	        uint32 parts that are complete; uint64 bytes that the next one still
//	        gets; uint8 whether there was more content than parts
//	        uint32 length, state of the digests of the part at hand
//	        uint32 length, state of the digests of the parts' digests
//	SHA-256 of all of the above
//
// The states in it are those of [Digest.Save].
const (
	verifierMagic   = "bucketsum verifier\n"
	verifierVersion = 1
)

// errNotFromStart is why a claim is unchecked whose algorithm has not seen the
// beginning of the content.
var errNotFromStart = errors.New("it was not computed of what was read before")

// Size returns the number of bytes written so far, those before
// [Verifier.Restore] included.
func (v *Verifier) Size() int64 { return v.whole.Size() }

// Save returns the state of v, from which [Verifier.Restore] continues, in this
// process or another. v can be written to afterwards. The claims are no part of it.
// The error wraps [ErrNotResumable] if one of the named algorithms cannot be saved;
// what only claims need and cannot be saved is left out.
func (v *Verifier) Save() ([]byte, error) {
	whole, left := v.whole.savable()
	for _, name := range left {
		if slices.Contains(v.names, name) {
			return nil, fmt.Errorf("%s: %w", name, ErrNotResumable)
		}
	}
	state := append([]byte(verifierMagic), verifierVersion)
	state, err := appendState(state, whole)
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
	sum := sha256.Sum256(state)
	return append(state, sum[:]...), nil
}

// savable returns d without the algorithms that cannot be saved, and their names.
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

func appendState(to []byte, d *Digest) ([]byte, error) {
	state, err := d.Save()
	if err != nil {
		return nil, err
	}
	to = binary.BigEndian.AppendUint32(to, uint32(len(state)))
	return append(to, state...), nil
}

func asByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// division tells one way to divide content into parts from others.
func (p *parts) division() [sha256.Size]byte {
	all := make([]byte, 0, 8*len(p.sizes))
	for _, n := range p.sizes {
		all = binary.BigEndian.AppendUint64(all, uint64(n))
	}
	return sha256.Sum256(all)
}

// Restore makes v, to which nothing was written, go on where the Verifier was whose
// state this is. v must compute no other algorithms than that one did, or fewer. A
// claim whose algorithm has not seen the beginning of the content will be
// unchecked. Bytes that are damaged, of another version or of other algorithms are
// an error that wraps [ErrBadState]; v is then as it was.
func (v *Verifier) Restore(state []byte) error {
	if err := v.restore(state); err != nil {
		return fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return nil
}

func (v *Verifier) restore(state []byte) error {
	rest, ok := bytes.CutPrefix(state, []byte(verifierMagic))
	switch {
	case !ok || len(state) > stateLimit:
		return errors.New("bucketsum did not write it")
	case len(rest) > 0 && rest[0] != verifierVersion:
		return fmt.Errorf("it has version %d, this bucketsum reads version %d", rest[0], verifierVersion)
	case len(rest) < 1+sha256.Size:
		return errors.New("it is cut short")
	}
	end := len(state) - sha256.Size
	if sum := sha256.Sum256(state[:end]); !bytes.Equal(sum[:], state[end:]) {
		return errors.New("it is damaged")
	}
	in := stateReader{rest: state[len(verifierMagic)+1 : end]}
	whole, err := in.digest()
	if err != nil {
		return err
	}
	for _, name := range v.names {
		if !slices.Contains(whole.names, name) {
			return fmt.Errorf("it is of %s, without %s", strings.Join(whole.names, ", "), name)
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
		return errors.New("its parts do not fit together")
	}
	for i, p := range v.parts {
		if s := saved[p.division()]; s != nil && s.done <= len(p.sizes) {
			s.sizes = p.sizes
			v.parts[i] = s
		}
	}
	// The checks refer to what is replaced.
	for i := range v.checks {
		for c := &v.checks[i]; c != nil; c = c.or {
			c.restore(whole, saved)
		}
	}
	v.whole = whole
	return nil
}

// restore makes the check refer to digests that have seen the beginning.
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

// digest takes a Digest.
func (r *stateReader) digest() (*Digest, error) {
	n := binary.BigEndian.Uint32(r.take(4))
	if int64(n) > int64(len(r.rest)) {
		return nil, errors.New("its parts do not fit together")
	}
	return restoreOf(r.take(int(n)), lookupClaimed)
}

// parts takes the digests of parts, whose sizes it does not know.
func (r *stateReader) parts() ([sha256.Size]byte, *parts, error) {
	division := [sha256.Size]byte(r.take(sha256.Size))
	p := &parts{
		done: int(binary.BigEndian.Uint32(r.take(4))),
		left: int64(binary.BigEndian.Uint64(r.take(8))),
		over: r.take(1)[0] != 0,
	}
	if r.short || p.left < 0 {
		return division, nil, errors.New("its parts do not fit together")
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
		return division, nil, errors.New("its parts do not fit together")
	}
	p.outer = outer.hashes
	return division, p, nil
}
