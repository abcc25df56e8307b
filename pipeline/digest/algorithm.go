package digest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"
	"golang.org/x/crypto/blake2b"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// algorithm is one way to digest bytes.
type algorithm struct {
	name string
	tag  string // in BSD-style lines
	size int    // bytes of a value
	make func() hash.Hash
}

// recorded holds the algorithms that records can have, the default first.
var recorded = []algorithm{
	{"md5", "MD5", md5lanes.Size, md5lanes.New},
	{"sha1", "SHA1", sha1.Size, sha1.New},
	{"sha256", "SHA256", sha256.Size, sha256.New},
	{"sha512", "SHA512", sha512.Size, sha512.New},
	{"crc32c", "CRC32C", crc32.Size, func() hash.Hash { return crc32.New(castagnoli) }},
	{"crc64nvme", "CRC64NVME", crc64nvme.Size, func() hash.Hash { return crc64nvme.New() }},
	{"blake3", "BLAKE3", 32, func() hash.Hash { return blake3.New() }},
	{"xxh3", "XXH3", 8, func() hash.Hash { return xxh3.New() }},
}

// others holds the algorithms that records cannot have. A new one here changes no bucket, whereas one in recorded would
// make records of all objects with its name as their extension.
var others = []algorithm{
	{"sha224", "SHA224", sha256.Size224, sha256.New224},
	{"sha384", "SHA384", sha512.Size384, sha512.New384},
	{"sha512-256", "SHA512/256", sha512.Size256, sha512.New512_256},
	{"sha3-224", "SHA3-224", 28, func() hash.Hash { return sha3.New224() }},
	{"sha3-256", "SHA3-256", 32, func() hash.Hash { return sha3.New256() }},
	{"sha3-384", "SHA3-384", 48, func() hash.Hash { return sha3.New384() }},
	{"sha3-512", "SHA3-512", 64, func() hash.Hash { return sha3.New512() }},
	{"blake2b", "BLAKE2b", blake2b.Size, newBLAKE2b(blake2b.Size)},
	{"sm3", "SM3", sm3.Size, sm3.New},
	{"crc32", "CRC32", crc32.Size, func() hash.Hash { return crc32.NewIEEE() }},
	{"xxh32", "XXH32", xxh32Size, newXXH32},
	{"xxh64", "XXH64", 8, func() hash.Hash { return xxhash.New() }},
	{"xxh128", "XXH128", 16, func() hash.Hash { return xxh128{xxh3.New()} }},
}

// algorithms holds all.
var algorithms = slices.Concat(recorded, others)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newBLAKE2b(size int) func() hash.Hash {
	return func() hash.Hash {
		h, _ := blake2b.New(size, nil) // it fails on other sizes and on keys only
		return h
	}
}

// xxh128 is XXH3 with values of 128 bits.
type xxh128 struct{ *xxh3.Hasher }

func (h xxh128) Size() int { return 16 }

func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128().Bytes()
	return append(b, sum[:]...)
}

// Tag returns the algorithm's name in BSD-style lines. That of an unknown algorithm is its name in upper case.
func Tag(algorithm string) string {
	a, err := lookup(algorithm)
	if err != nil {
		return strings.ToUpper(algorithm)
	}
	return a.tag
}

// Names returns the names of the algorithms that records can have, the default first.
func Names() []string { return namesOf(recorded) }

// Computable returns the names of all algorithms: first [Names], then those that records cannot have. BLAKE2b has
// shorter values too: blake2b-256 is the one of 256 bits, which must be a multiple of 8.
func Computable() []string { return namesOf(algorithms) }

func namesOf(list []algorithm) []string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.name
	}
	return names
}

// Recorded reports whether records can have the algorithm of that name.
func Recorded(name string) bool {
	return slices.ContainsFunc(recorded, func(a algorithm) bool { return a.name == name })
}

// CheckNames returns an error unless at least one algorithm is named and records can have all of them.
func CheckNames(names ...string) error {
	valid := strings.Join(Names(), ", ")
	if len(names) == 0 {
		return errors.New("no algorithm is named; valid are " + valid)
	}
	for _, name := range names {
		if Recorded(name) {
			continue
		}
		if _, err := lookup(name); err == nil {
			return fmt.Errorf("records cannot have %s, only the command sum computes it; valid are %s", name, valid)
		}
		return suggest.Unknown("algorithm", name, Names())
	}
	return nil
}

// Size returns the number of bytes of the algorithm's values, which is half the number
// of their digits. It returns 0 if there is no such algorithm.
func Size(algorithm string) int {
	a, _ := find(algorithm)
	return a.size
}

// Resumable reports whether the algorithm's state can be saved, see [Verifier.Save].
func Resumable(algorithm string) bool {
	a, err := lookup(algorithm)
	return err == nil && resumable(a.make())
}

func resumable(h hash.Hash) bool {
	_, saves := h.(encoding.BinaryMarshaler)
	_, restores := h.(encoding.BinaryUnmarshaler)
	return saves && restores
}

// Base64 returns the value in the form in which S3 and other object stores state
// checksums: the base64 of its bytes, CRCs big-endian. An unknown algorithm, or a value
// that is not [Valid], is an error.
func Base64(algorithm, value string) (string, error) {
	if _, err := lookup(algorithm); err != nil {
		return "", err
	}
	if !Valid(algorithm, value) {
		return "", fmt.Errorf("%q is not a value of %s", value, algorithm)
	}
	raw, err := hex.DecodeString(value)
	return base64.StdEncoding.EncodeToString(raw), err
}

func lookup(name string) (algorithm, error) {
	if a, ok := find(name); ok {
		return a, nil
	}
	if bits, ok := strings.CutPrefix(name, shortPrefix); ok {
		return shortBLAKE2b(bits)
	}
	return algorithm{}, suggest.Unknown("algorithm", name, Computable())
}

const shortPrefix = "blake2b-"

// find is lookup without an error, which costs much more than a line of a list.
func find(name string) (algorithm, bool) {
	for _, a := range algorithms {
		if a.name == name {
			return a, true
		}
	}
	if bits, ok := strings.CutPrefix(name, shortPrefix); ok {
		a, err := shortBLAKE2b(bits)
		return a, err == nil
	}
	return algorithm{}, false
}

// shortBLAKE2b returns BLAKE2b with values of so many bits.
func shortBLAKE2b(bits string) (algorithm, error) {
	n, err := strconv.Atoi(bits)
	switch {
	case err != nil || n < 8 || n > 8*blake2b.Size || n%8 != 0 || strconv.Itoa(n) != bits:
		return algorithm{}, fmt.Errorf("blake2b has no values of %q bits; valid are multiples of 8 up to %d", bits, 8*blake2b.Size)
	case n == 8*blake2b.Size:
		return lookup("blake2b")
	}
	return algorithm{"blake2b-" + bits, "BLAKE2b-" + bits, n / 8, newBLAKE2b(n / 8)}, nil
}
