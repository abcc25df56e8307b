package blobstore

import (
	"sync"
	"sync/atomic"
)

const (
	// partBytes is the length of a range, if the store does not say a better one.
	partBytes = 8 << 20
	// defaultMemory is enough for all the ranges that one object uses.
	defaultMemory = wide * partBytes
)

// Memory bounds how many bytes readers hold of objects that they read ahead. When no memory is
// left, they stop reading ahead; they never wait for memory. It is safe for concurrent use.
type Memory struct {
	left    atomic.Int64
	buffers sync.Pool // of *[]byte
}

// NewMemory returns a Memory of that many bytes; 0 means 128 MiB.
func NewMemory(bytes int64) *Memory {
	if bytes == 0 {
		bytes = defaultMemory
	}
	m := &Memory{}
	m.left.Store(bytes)
	return m
}

// take returns a buffer of n bytes; nil if there is no memory left.
func (m *Memory) take(n int64) []byte {
	if m.left.Add(-n) < 0 {
		m.left.Add(n)
		return nil
	}
	if b, ok := m.buffers.Get().(*[]byte); ok && int64(cap(*b)) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// give returns a buffer of take.
func (m *Memory) give(b []byte) {
	m.left.Add(int64(len(b)))
	m.buffers.Put(&b)
}
