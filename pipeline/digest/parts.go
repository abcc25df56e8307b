package digest

import (
	"encoding/hex"
	"fmt"
	"hash"
)

// parts computes the checksums of the checksums of the parts that content was
// uploaded in.
type parts struct {
	sizes []int64 // bytes
	inner *Digest // of the part at hand
	outer []hash.Hash

	done int   // parts that are complete
	left int64 // bytes that the part at hand still gets
	over bool  // there was more content than parts
}

func newParts(sizes []int64) *parts {
	return &parts{sizes: sizes, inner: &Digest{}, left: sizes[0]}
}

// add makes it compute another algorithm, before anything is written.
func (p *parts) add(a algorithm) {
	if p.inner.add(a) {
		p.outer = append(p.outer, a.make())
	}
}

func (p *parts) write(b []byte) {
	for len(b) > 0 {
		p.turn()
		if p.done == len(p.sizes) {
			p.over = true
			return
		}
		n := min(int64(len(b)), p.left)
		_, _ = p.inner.Write(b[:n]) // never fails
		p.left -= n
		b = b[n:]
	}
}

// turn goes on to the first part that is not complete.
func (p *parts) turn() {
	for p.done < len(p.sizes) && p.left == 0 {
		for i, h := range p.inner.hashes {
			p.outer[i].Write(h.Sum(nil))
		}
		p.inner.Reset()
		if p.done++; p.done < len(p.sizes) {
			p.left = p.sizes[p.done]
		}
	}
}

// sum returns the checksum of all parts, or an error if they are not those of
// content of this many bytes.
func (p *parts) sum(algorithm string, size int64) (string, error) {
	p.turn()
	if p.over || p.done < len(p.sizes) {
		total := int64(0)
		for _, n := range p.sizes {
			total += n
		}
		return "", fmt.Errorf("its parts have %d bytes, the content has %d", total, size)
	}
	for i, name := range p.inner.names {
		if name == algorithm {
			return hex.EncodeToString(p.outer[i].Sum(nil)), nil
		}
	}
	return "", fmt.Errorf("%s of the parts was not computed", algorithm) // cannot be: add was called
}
