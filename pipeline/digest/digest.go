// Package digest computes checksums: any set of algorithms in one pass over the bytes
// ([Digest], [Copy]), together with a check of the checksums that others state
// ([Verifier]). It prints lines as md5sum does and reads the lines of other tools
// ([FormatLine], [Parser]).
//
// Values are lower-case hexadecimal digits. Those of CRCs and XXH3 are big-endian, as the
// usual tools print them.
package digest

import (
	"encoding/hex"
	"errors"
	"hash"
	"slices"
	"strings"
)

// Digest computes several checksums in one pass. Make one with [New]. It is not safe for
// concurrent use.
type Digest struct {
	names  []string
	hashes []hash.Hash
	size   int64
}

// New returns a Digest of the named algorithms, see [Computable]. A name that occurs twice
// counts once. An unknown name, or none, is an error that lists the valid ones.
func New(names ...string) (*Digest, error) {
	if len(names) == 0 {
		return nil, errors.New("no algorithm is named; valid are " + strings.Join(Computable(), ", "))
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

// add makes d compute an algorithm. It reports false if d computes it already.
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
	// One hash after another: the bytes are in the cache already, and a goroutine for
	// each hash costs more than it gains.
	for _, h := range d.hashes {
		h.Write(p)
	}
	d.size += int64(len(p))
	return len(p), nil
}

// Sums returns the checksums of the bytes written so far, by algorithm. More bytes can be
// written afterwards.
func (d *Digest) Sums() map[string]string {
	sums := make(map[string]string, len(d.names))
	for i, name := range d.names {
		sums[name] = hex.EncodeToString(d.hashes[i].Sum(nil))
	}
	return sums
}

// Algorithms returns the names of the digest's algorithms, in the order of [New]'s
// arguments.
func (d *Digest) Algorithms() []string { return slices.Clone(d.names) }

// Size returns the number of bytes written so far.
func (d *Digest) Size() int64 { return d.size }

// Reset brings d back to the state in which [New] returned it.
func (d *Digest) Reset() {
	for _, h := range d.hashes {
		h.Reset()
	}
	d.size = 0
}
