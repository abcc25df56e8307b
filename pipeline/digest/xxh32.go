package digest

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

const (
	xxh32Size  = 4
	xxh32Block = 16

	xxh32Prime1 uint32 = 2654435761
	xxh32Prime2 uint32 = 2246822519
	xxh32Prime3 uint32 = 3266489917
	xxh32Prime4 uint32 = 668265263
	xxh32Prime5 uint32 = 374761393
)

// xxh32 is XXH32 with the seed 0. Its state cannot be saved.
type xxh32 struct {
	lanes [4]uint32
	total uint64
	rest  [xxh32Block]byte // the total % xxh32Block bytes that lanes lacks
}

func newXXH32() hash.Hash {
	h := new(xxh32)
	h.Reset()
	return h
}

func (h *xxh32) Size() int      { return xxh32Size }
func (h *xxh32) BlockSize() int { return xxh32Block }

func (h *xxh32) Reset() {
	p1, p2 := xxh32Prime1, xxh32Prime2 // variables, whose sums may overflow
	*h = xxh32{lanes: [4]uint32{p1 + p2, p2, 0, -p1}}
}

func (h *xxh32) Write(p []byte) (int, error) {
	n, held := len(p), int(h.total%xxh32Block)
	h.total += uint64(n)
	if held > 0 {
		taken := copy(h.rest[held:], p)
		p = p[taken:]
		if held+taken < xxh32Block {
			return n, nil
		}
		h.blocks(h.rest[:])
	}
	whole := len(p) - len(p)%xxh32Block
	h.blocks(p[:whole])
	copy(h.rest[:], p[whole:])
	return n, nil
}

func (h *xxh32) blocks(p []byte) {
	a, b, c, d := h.lanes[0], h.lanes[1], h.lanes[2], h.lanes[3]
	for ; len(p) >= xxh32Block; p = p[xxh32Block:] {
		a = bits.RotateLeft32(a+binary.LittleEndian.Uint32(p)*xxh32Prime2, 13) * xxh32Prime1
		b = bits.RotateLeft32(b+binary.LittleEndian.Uint32(p[4:])*xxh32Prime2, 13) * xxh32Prime1
		c = bits.RotateLeft32(c+binary.LittleEndian.Uint32(p[8:])*xxh32Prime2, 13) * xxh32Prime1
		d = bits.RotateLeft32(d+binary.LittleEndian.Uint32(p[12:])*xxh32Prime2, 13) * xxh32Prime1
	}
	h.lanes = [4]uint32{a, b, c, d}
}

func (h *xxh32) Sum(to []byte) []byte {
	sum := xxh32Prime5
	if h.total >= xxh32Block {
		sum = 0
		for i, turn := range []int{1, 7, 12, 18} {
			sum += bits.RotateLeft32(h.lanes[i], turn)
		}
	}
	sum += uint32(h.total)
	rest := h.rest[:h.total%xxh32Block]
	for ; len(rest) >= 4; rest = rest[4:] {
		sum = bits.RotateLeft32(sum+binary.LittleEndian.Uint32(rest)*xxh32Prime3, 17) * xxh32Prime4
	}
	for _, b := range rest {
		sum = bits.RotateLeft32(sum+uint32(b)*xxh32Prime5, 11) * xxh32Prime1
	}
	sum = (sum ^ sum>>15) * xxh32Prime2
	sum = (sum ^ sum>>13) * xxh32Prime3
	return binary.BigEndian.AppendUint32(to, sum^sum>>16)
}
