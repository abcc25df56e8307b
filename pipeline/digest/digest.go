// Package digest computes checksums by name, any set of them in one pass over
// the bytes, prints them as the field does, and reads what others printed.
//
// Values are lower-case hexadecimal digits; those of CRCs and XXH3 are
// big-endian, as the tools that compute them print them.
package digest

import (
	"encoding/hex"
	"errors"
	"hash"
	"slices"
	"strings"
)

// Digest computes several checksums in one pass. It is not safe for concurrent
// use. The zero value has no algorithm; use [New].
type Digest struct {
	names  []string
	hashes []hash.Hash
	size   int64
}

// New returns a Digest of the named algorithms; naming one twice is harmless.
// An unknown name is an error that lists the valid ones.
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
		d.add(a)
	}
	return d, nil
}

// add makes d compute another algorithm and reports whether it did not already.
func (d *Digest) add(a algorithm) bool {
	if slices.Contains(d.names, a.name) {
		return false
	}
	d.names = append(d.names, a.name)
	d.hashes = append(d.hashes, a.make())
	return true
}

// Write implements io.Writer and never fails.
func (d *Digest) Write(p []byte) (int, error) {
	// One hash after another: the bytes are in the cache already, and a
	// goroutine for each costs more than it gains.
	for _, h := range d.hashes {
		h.Write(p)
	}
	d.size += int64(len(p))
	return len(p), nil
}

// Sums returns the checksums of what was written so far, by algorithm. More can
// be written afterwards.
func (d *Digest) Sums() map[string]string {
	sums := make(map[string]string, len(d.names))
	for i, name := range d.names {
		sums[name] = hex.EncodeToString(d.hashes[i].Sum(nil))
	}
	return sums
}

// Algorithms returns the names of the digest's algorithms in the order in which
// they were given.
func (d *Digest) Algorithms() []string { return slices.Clone(d.names) }

// Size returns the number of bytes written so far.
func (d *Digest) Size() int64 { return d.size }

// Reset makes d as [New] returned it.
func (d *Digest) Reset() {
	for _, h := range d.hashes {
		h.Reset()
	}
	d.size = 0
}
