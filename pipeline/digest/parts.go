package digest

import (
	"encoding/hex"
	"fmt"
	"hash"
)

// parts computes checksums of content that was uploaded in parts: of each algorithm the
// checksum of the parts' checksums.
type parts struct {
	sizes []int64     // bytes of each part
	inner *Digest     // of the current part
	outer []hash.Hash // of the checksums of the complete parts, by inner's algorithms

	done int   // complete parts
	left int64 // bytes that the current part lacks
	over bool  // the content is longer than the parts
}

func newParts(sizes []int64) *parts {
	return &parts{sizes: sizes, inner: &Digest{}, left: sizes[0]}
}

// add makes p compute an algorithm. It must come before the first write.
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

// turn completes each part that lacks nothing and moves on to the first one that does.
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

// sum returns the checksum of the parts' checksums, or an error if the parts do not add up
// to the content, which has size bytes.
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
	return "", fmt.Errorf("%s of the parts was not computed", algorithm) // cannot happen: add was called
}
