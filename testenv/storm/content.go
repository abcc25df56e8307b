package storm

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"math/rand/v2"

	"github.com/zeebo/blake3"
)

// content is what an object holds. Its bytes are made again from its seed, so that a storm
// can know every version without keeping it.
type content struct {
	seed uint64
	size int
	sums map[string]string // hexadecimal, by algorithm
}

func (c *content) bytes() []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], c.seed)
	b := make([]byte, c.size)
	_, _ = rand.NewChaCha8(seed).Read(b) // it never fails
	return b
}

// hashes are the algorithms that lanes use, from other sources than the program's where there
// are any.
var hashes = map[string]func() hash.Hash{
	"md5":       md5.New,
	"sha1":      sha1.New,
	"sha256":    sha256.New,
	"sha512":    sha512.New,
	"crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"blake3":    func() hash.Hash { return blake3.New() },
}

// sumsOf returns the checksums of data.
func sumsOf(data []byte, algorithms []string) map[string]string {
	sums := make(map[string]string)
	for _, alg := range algorithms {
		h := hashes[alg]()
		h.Write(data)
		sums[alg] = hex.EncodeToString(h.Sum(nil))
	}
	return sums
}

// newContent makes content of a size.
func newContent(seed uint64, size int, algorithms []string) (*content, []byte) {
	c := &content{seed: seed, size: size}
	data := c.bytes()
	c.sums = sumsOf(data, algorithms)
	return c, data
}

// sizeOf draws the size of an object: most are small, a few have several checkpoints.
func sizeOf(d *dice) int {
	switch p := d.float(); {
	case p < 0.03:
		return 0
	case p < 0.75:
		return int(d.below(4 << 10))
	case p < 0.97:
		return int(d.below(64 << 10))
	default:
		return checkpointAbove + int(d.below(1<<20))
	}
}
