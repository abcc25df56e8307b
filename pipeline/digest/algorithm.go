package digest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/minio/crc64nvme"
	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// algorithm is one way to digest bytes.
type algorithm struct {
	name string
	size int // bytes of a value
	make func() hash.Hash
}

// algorithms holds all algorithms, the default first.
var algorithms = []algorithm{
	{"md5", md5lanes.Size, md5lanes.New},
	{"sha1", sha1.Size, sha1.New},
	{"sha256", sha256.Size, sha256.New},
	{"sha512", sha512.Size, sha512.New},
	{"crc32c", crc32.Size, func() hash.Hash { return crc32.New(castagnoli) }},
	{"crc64nvme", crc64nvme.Size, func() hash.Hash { return crc64nvme.New() }},
	{"blake3", 32, func() hash.Hash { return blake3.New() }},
	{"xxh3", 8, func() hash.Hash { return xxh3.New() }},
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tag returns the algorithm's name in BSD-style lines.
func (a algorithm) tag() string { return strings.ToUpper(a.name) }

// Names returns the names of all algorithms, the default first.
func Names() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// Size returns the number of bytes of the algorithm's values, which is half the number
// of their digits. It returns 0 if there is no such algorithm.
func Size(algorithm string) int {
	a, _ := lookup(algorithm)
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
	for _, a := range algorithms {
		if a.name == name {
			return a, nil
		}
	}
	return algorithm{}, fmt.Errorf("unknown algorithm %q; valid are %s", name, strings.Join(Names(), ", "))
}
