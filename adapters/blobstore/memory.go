package blobstore

import (
	"sync"
	"sync/atomic"
)

const (
	// partBytes is how long a range of an object is, unless its own parts say better.
	partBytes = 8 << 20
	// defaultMemory is enough for as many ranges as one object uses.
	defaultMemory = wide * partBytes
)

// Memory bounds what readers hold of objects that they read ahead, in bytes. When
// none is left they read no further ahead, but never wait for it. It is safe for
// concurrent use.
type Memory struct {
	left    atomic.Int64
	buffers sync.Pool // of *[]byte
}

// NewMemory returns a Memory of so many bytes; 0 means 128 MiB.
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

// give takes back what take returned.
func (m *Memory) give(b []byte) {
	m.left.Add(int64(len(b)))
	m.buffers.Put(&b)
}
