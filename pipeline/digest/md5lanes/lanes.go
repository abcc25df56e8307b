package md5lanes

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const (
	// longRun and shortRun limit one call of a kernel, in blocks, because assembly cannot
	// be preempted. A long run takes about 0.1 ms. While lanes are free runs are short, so
	// that a new writer need not wait long.
	longRun  = 1024
	shortRun = 256

	// slice is how many bytes the only digest of a set of lanes hashes before its goroutine
	// looks for other writers.
	slice = 8 << 10
)

// lanes is a set of lanes and the digests in them. One goroutine at a time leads it.
type lanes struct {
	mem      *memory
	digests  [width]*digest
	used     uint32 // bit set of lanes that hold a digest
	resident uint32 // bit set of lanes whose state is in mem

	finished queue // digests whose goroutines are still to be woken
	held     int   // blocks run since the first of them finished
	patience int   // the limit of held
}

func newLanes() *lanes { return &lanes{mem: newMemory()} }

func (l *lanes) full() bool  { return l.used == 1<<width-1 }
func (l *lanes) active() int { return bits.OnesCount32(l.used) }

// put gives d a lane. One must be free.
func (l *lanes) put(d *digest) {
	i := bits.TrailingZeros32(^l.used)
	l.digests[i] = d
	l.used |= 1 << i
}

// fill puts digests of q into free lanes.
func (l *lanes) fill(q *queue) {
	for !l.full() {
		d := q.pop()
		if d == nil {
			return
		}
		l.put(d)
	}
}

// take returns the digest of lane i and frees the lane.
func (l *lanes) take(i int) *digest {
	l.store(i)
	d := l.digests[i]
	l.digests[i] = nil
	l.used &^= 1 << i
	return d
}

// load makes the state of lane i resident.
func (l *lanes) load(i int) {
	if l.resident&(1<<i) != 0 {
		return
	}
	l.resident |= 1 << i
	state := l.digests[i].lift()
	for w := range l.mem.dig {
		l.mem.dig[w][i] = binary.BigEndian.Uint32(state[4*w:])
	}
}

// store writes the state of lane i back to its digest.
func (l *lanes) store(i int) {
	if l.resident&(1<<i) == 0 {
		return
	}
	l.resident &^= 1 << i
	state := l.digests[i].lift()
	for w := range l.mem.dig {
		binary.BigEndian.PutUint32(state[4*w:], l.mem.dig[w][i])
	}
}

// run hashes the same number of blocks of every digest, and fetches more bytes for digests
// that have a feed. It does not keep the hashed bytes alive.
func (l *lanes) run(k *kernel) {
	l.hash(k)
	for u := l.used; u != 0; u &= u - 1 {
		if d := l.digests[bits.TrailingZeros32(u)]; len(d.p) == 0 {
			d.fetch()
		}
	}
}

func (l *lanes) hash(k *kernel) {
	if l.used&(l.used-1) == 0 && !k.alone {
		l.runAlone(bits.TrailingZeros32(l.used))
		return
	}
	n := shortRun
	if l.full() {
		n = longRun
	}
	var live uintptr
	for u := l.used; u != 0; u &= u - 1 {
		i := bits.TrailingZeros32(u)
		l.load(i)
		p := l.digests[i].p
		n = min(n, len(p)/BlockSize)
		live = uintptr(unsafe.Pointer(unsafe.SliceData(p)))
		l.mem.ptr[i] = live
	}
	// A kernel reads free lanes, too, and the last address there may be invalid by now.
	for u := ^l.used & (1<<width - 1); u != 0; u &= u - 1 {
		l.mem.ptr[bits.TrailingZeros32(u)] = live
	}
	k.block(&l.mem.dig, &l.mem.ptr, &l.mem.scratch, n)
	for u := l.used; u != 0; u &= u - 1 {
		l.digests[bits.TrailingZeros32(u)].advance(n * BlockSize)
	}
	l.held += n
}

// runAlone hashes a slice of the only digest with crypto/md5, which is as fast as a kernel
// with one lane.
func (l *lanes) runAlone(i int) {
	l.store(i)
	d := l.digests[i]
	n := min(slice, len(d.p))
	d.settle()
	d.std.Write(d.p[:n]) // if it failed, Write would have failed before
	d.advance(n)
	l.held += n / BlockSize
}

// reap moves the digests that have nothing left to hash from their lanes to finished and
// returns their number.
func (l *lanes) reap() int {
	n := l.finished.len
	for u := l.used; u != 0; u &= u - 1 {
		i := bits.TrailingZeros32(u)
		if d := l.digests[i]; len(d.p) == 0 {
			l.take(i)
			d.p = nil
			if l.finished.len == 0 {
				l.held, l.patience = 0, d.blocks
			}
			l.patience = min(l.patience, l.held+d.blocks)
			l.finished.push(d)
		}
	}
	return l.finished.len - n
}

// rotate moves digests that have fetched at least a piece in a row into q, at most as many as
// wait there, and reports whether d is one of them.
func (l *lanes) rotate(q *queue, d *digest) (found bool) {
	n := q.len
	for u := l.used; u != 0 && n > 0; u &= u - 1 {
		i := bits.TrailingZeros32(u)
		if l.digests[i].turn < piece {
			continue
		}
		out := l.take(i)
		out.turn = 0
		q.push(out)
		n--
		found = found || out == d
	}
	return found
}

// spill empties all lanes into q.
func (l *lanes) spill(q *queue) {
	for u := l.used; u != 0; u &= u - 1 {
		q.push(l.take(bits.TrailingZeros32(u)))
	}
}

// longest returns the digest that has the most bytes left to hash, or nil.
func (l *lanes) longest() *digest {
	var longest *digest
	for u := l.used; u != 0; u &= u - 1 {
		d := l.digests[bits.TrailingZeros32(u)]
		if longest == nil || len(d.p) > len(longest.p) {
			longest = d
		}
	}
	return longest
}

// queue is a FIFO of digests. A digest is in at most one.
type queue struct {
	head, tail *digest
	len        int
}

func (q *queue) push(d *digest) {
	if q.tail == nil {
		q.head = d
	} else {
		q.tail.next = d
	}
	q.tail = d
	q.len++
}

// pop returns the first digest, or nil.
func (q *queue) pop() *digest {
	d := q.head
	if d == nil {
		return nil
	}
	if q.head = d.next; q.head == nil {
		q.tail = nil
	}
	d.next = nil
	q.len--
	return d
}
