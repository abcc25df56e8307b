// Package digest computes checksums by name, any set of them in one pass over
// the bytes, and prints them as the field does.
package digest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/minio/crc64nvme"
	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"
)

// algorithm is one way to digest bytes.
type algorithm struct {
	name string
	make func() hash.Hash
	size int // bytes of a value
}

// algorithms holds all of them, the default first.
var algorithms = []algorithm{
	{"md5", md5.New, md5.Size},
	{"sha1", sha1.New, sha1.Size},
	{"sha256", sha256.New, sha256.Size},
	{"sha512", sha512.New, sha512.Size},
	{"crc32c", func() hash.Hash { return crc32.New(castagnoli) }, crc32.Size},
	{"crc64nvme", func() hash.Hash { return crc64nvme.New() }, crc64nvme.Size},
	{"blake3", func() hash.Hash { return blake3.New() }, 32},
	{"xxh3", func() hash.Hash { return xxh3.New() }, 8},
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Names returns the names of all algorithms, the default first.
func Names() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

func lookup(name string) (algorithm, error) {
	for _, a := range algorithms {
		if a.name == name {
			return a, nil
		}
	}
	return algorithm{}, fmt.Errorf("unknown algorithm %q; valid are %s", name, strings.Join(Names(), ", "))
}

// Digest computes several checksums in one pass. It is not safe for concurrent use.
type Digest struct {
	names  []string
	hashes []hash.Hash
}

// New returns a Digest of the named algorithms.
func New(names ...string) (*Digest, error) {
	if len(names) == 0 {
		return nil, errors.New("no algorithm is named; valid are " + strings.Join(Names(), ", "))
	}
	d := &Digest{}
	for _, name := range names {
		a, err := lookup(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(d.names, name) {
			continue
		}
		d.names = append(d.names, name)
		d.hashes = append(d.hashes, a.make())
	}
	return d, nil
}

// Write implements io.Writer and never fails.
func (d *Digest) Write(p []byte) (int, error) {
	for _, h := range d.hashes {
		h.Write(p)
	}
	return len(p), nil
}

// Sums returns the checksums of what was written so far, by algorithm.
func (d *Digest) Sums() map[string]string {
	sums := make(map[string]string, len(d.names))
	for i, name := range d.names {
		sums[name] = hex.EncodeToString(d.hashes[i].Sum(nil))
	}
	return sums
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Copy writes what r has left to d and returns how many bytes that was.
func Copy(ctx context.Context, d *Digest, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, context.Cause(ctx)
		}
		n, err := r.Read(buf[:])
		total += int64(n)
		d.Write(buf[:n])
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
