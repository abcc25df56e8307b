package md5lanes

import (
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"
	"sync"
)

const (
	// Size of a checksum in bytes.
	Size = md5.Size
	// BlockSize of MD5 in bytes.
	BlockSize = md5.BlockSize
)

const (
	// small is the length in bytes below which a write is hashed without lanes: waiting
	// for other writers would cost more than lanes gain.
	small = 2 << 10
	// piece is how many bytes of one write enter the queue at once, so that others get
	// their turn beside a writer of gigabytes.
	piece = 1 << 20
)

// A state as crypto/md5 marshals it: magic, chaining value, partial block, length.
const (
	chainAt   = len("md5\x01")
	lengthAt  = chainAt + Size + BlockSize
	stateSize = lengthAt + 8
)

// standard is the part of crypto/md5's hash that a digest uses.
type standard interface {
	hash.Cloner
	encoding.BinaryMarshaler
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// digest is a hash of an engine with a kernel. Its state is in std or, while lifted is true,
// in state. Only a state without a partial block can be lifted.
type digest struct {
	engine *Engine
	std    standard
	length uint64 // bytes hashed
	lifted bool
	state  [stateSize]byte

	// Owned by the engine during a Write.
	p      []byte // whole blocks that are left to hash
	blocks int    // blocks of p at the start
	feed   feed
	turn   int     // bytes fetched since the digest was last in the queue
	next   *digest // in a queue
	lead   *lanes  // the lanes that the digest's goroutine leads once it is woken
	wake   gate
}

// feed is the source from which a digest fetches more bytes when all of p is hashed. See
// WriteFrom.
type feed struct {
	next  func(p []byte) int // nil: there is nothing to fetch
	buf   []byte
	rest  []byte // the end of buf that is less than a block
	ended bool   // next returned 0 or panicked
	// panicked is the value that next panicked with. The digest's own goroutine panics with
	// it, not the goroutine that called next.
	panicked any
}

// gate lets one goroutine wait for another.
type gate struct {
	// mu is locked for writing, except while wait returns. Unlike a channel, a mutex that
	// was made in a bubble of testing/synctest can be unlocked from outside. Unlike Lock,
	// RLock does not spin before it sleeps.
	mu sync.RWMutex
}

func (g *gate) shut() { g.mu.Lock() }
func (g *gate) open() { g.mu.Unlock() }

// wait returns once the gate is open and shuts it again.
func (g *gate) wait() {
	g.mu.RLock()
	//lint:ignore SA2001 RLock waits until the gate is open
	g.mu.RUnlock()
	g.mu.Lock()
}

func newDigest(e *Engine, std standard) *digest {
	d := &digest{engine: e, std: std}
	d.wake.shut()
	return d
}

// convertible reports whether crypto/md5 marshals its state as this package expects.
func convertible() bool {
	std, ok := md5.New().(standard)
	if !ok {
		return false
	}
	state, err := std.AppendBinary(nil)
	return err == nil && len(state) == stateSize &&
		strings.HasPrefix(string(state), "md5\x01\x67\x45\x23\x01\xef\xcd\xab\x89\x98\xba\xdc\xfe\x10\x32\x54\x76")
}

// Write hashes p and returns when that is done. Like crypto/md5's Write it fails only in
// FIPS 140-only mode.
func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	if n < small {
		return d.write(p)
	}
	missing := int(-d.length % BlockSize) // bytes to a whole block; 0 while lifted
	if _, err := d.std.Write(p[:missing]); err != nil {
		return 0, err
	}
	d.length += uint64(missing)
	p = p[missing:]
	for len(p) >= small {
		whole := min(piece, len(p)&^(BlockSize-1))
		reads(p[:whole])
		d.engine.hash(d, p[:whole])
		p = p[whole:]
	}
	if len(p) > 0 {
		d.write(p)
	}
	return n, nil
}

// Fetcher is a hash that fetches the bytes itself. The hashes of an engine with a kernel
// implement it; crypto/md5's do not.
type Fetcher interface {
	hash.Hash
	// WriteFrom calls next repeatedly. Each time next fills the start of buf and returns
	// the number of bytes, which WriteFrom hashes; 0 ends it. WriteFrom returns the number
	// of bytes hashed, and fails where Write does.
	//
	// It takes less CPU than a Write for each chunk, because no goroutine has to be woken:
	// the goroutine that leads the lanes calls next, one call at a time. Other hashes wait
	// until next returns, so it must not block, use the engine or end the goroutine. If
	// next panics, or returns a number that is not within buf, WriteFrom hashes the bytes
	// fetched before and then panics.
	WriteFrom(buf []byte, next func(buf []byte) int) (int64, error)
}

var _ Fetcher = (*digest)(nil)

// WriteFrom implements Fetcher.
func (d *digest) WriteFrom(buf []byte, next func(buf []byte) int) (int64, error) {
	before := d.length
	for {
		n := length(next(buf), buf)
		if n == 0 {
			return int64(d.length - before), nil
		}
		if n < small || d.length%BlockSize != 0 {
			if _, err := d.Write(buf[:n]); err != nil {
				return int64(d.length - before), err
			}
			continue
		}
		if _, err := d.std.Write(nil); err != nil {
			return int64(d.length - before), err
		}
		whole := n &^ (BlockSize - 1)
		d.feed = feed{next: next, buf: buf, rest: buf[whole:n]}
		reads(buf[:whole])
		d.engine.hash(d, buf[:whole])
		rest, ended, panicked := d.feed.rest, d.feed.ended, d.feed.panicked
		d.feed, d.turn = feed{}, 0
		d.write(rest)
		if panicked != nil {
			panic(panicked)
		}
		if ended {
			return int64(d.length - before), nil
		}
	}
}

// fetch gets the next bytes for d, unless its feed has ended.
func (d *digest) fetch() {
	f := &d.feed
	if f.next == nil || f.ended || len(f.rest) > 0 {
		return
	}
	n := f.call()
	whole := n &^ (BlockSize - 1)
	d.p, f.rest, f.ended = f.buf[:whole], f.buf[whole:n], n == 0
	if d.turn += whole; whole > 0 {
		d.blocks = whole / BlockSize
	}
}

// call calls next. If next panics, it keeps the value and returns 0.
func (f *feed) call() (n int) {
	defer func() {
		if v := recover(); v != nil {
			n, f.panicked = 0, v
		}
	}()
	return length(f.next(f.buf), f.buf)
}

// length returns n, the number of bytes of buf that next says it filled. It panics if buf
// does not have that many.
func length(n int, buf []byte) int {
	if n < 0 || n > len(buf) {
		panic(fmt.Sprintf("md5lanes: %d bytes were fetched into a buffer of %d", n, len(buf)))
	}
	return n
}

// write hashes p without lanes.
func (d *digest) write(p []byte) (int, error) {
	if d.lifted {
		d.settle()
	}
	n, err := d.std.Write(p)
	d.length += uint64(n)
	return n, err
}

// advance notes that the first n bytes of d.p are hashed.
func (d *digest) advance(n int) {
	d.p = d.p[n:]
	d.length += uint64(n)
}

// lift moves the state from std to d.state, if it is not there yet, and returns d.state from
// the chaining value (big-endian) on. There must be no partial block.
func (d *digest) lift() []byte {
	if !d.lifted {
		d.std.AppendBinary(d.state[:0])
		d.lifted = true
	}
	return d.state[chainAt:]
}

// settle moves the state back to std.
func (d *digest) settle() {
	if d.lifted {
		binary.BigEndian.PutUint64(d.state[lengthAt:], d.length)
		if err := d.std.UnmarshalBinary(d.state[:]); err != nil {
			panic("md5lanes: crypto/md5 refuses its own state: " + err.Error())
		}
		d.lifted = false
	}
}

// Sum appends the checksum of the bytes written so far to b.
func (d *digest) Sum(b []byte) []byte {
	d.settle()
	return d.std.Sum(b)
}

func (d *digest) Reset() {
	d.std.Reset()
	d.length, d.lifted = 0, false
}

func (d *digest) Size() int      { return Size }
func (d *digest) BlockSize() int { return BlockSize }

// Clone implements hash.Cloner.
func (d *digest) Clone() (hash.Cloner, error) {
	d.settle()
	std, err := d.std.Clone()
	if err != nil {
		return nil, err
	}
	c := newDigest(d.engine, std.(standard))
	c.length = d.length
	return c, nil
}

// MarshalBinary returns the state as crypto/md5 would.
func (d *digest) MarshalBinary() ([]byte, error) { return d.AppendBinary(nil) }

// AppendBinary appends the state as crypto/md5 would.
func (d *digest) AppendBinary(b []byte) ([]byte, error) {
	d.settle()
	return d.std.AppendBinary(b)
}

// UnmarshalBinary restores a state that this package or crypto/md5 marshaled.
func (d *digest) UnmarshalBinary(b []byte) error {
	d.settle()
	if err := d.std.UnmarshalBinary(b); err != nil {
		return err
	}
	d.length = binary.BigEndian.Uint64(b[lengthAt:])
	return nil
}
