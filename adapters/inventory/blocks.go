package inventory

import (
	"context"
	"io"
	"os"
	"slices"
	"sync"
)

// Parquet keeps the values of each column together, so that a file is read at as many places as it has columns. From a
// bucket, each place is read as a stream of its own, in blocks. The blocks that were used last are kept.
const (
	blockSize   = 512 << 10
	mostBlocks  = 64
	mostStreams = 24
)

// readError is an error of the store.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// readerAt opens a file for reading at any place, until it is closed.
func readerAt(ctx context.Context, f file, size int64) (io.ReaderAt, func()) {
	if path, ok := f.(local); ok {
		if opened, err := os.Open(string(path)); err == nil {
			return opened, func() { _ = opened.Close() } // it was only read
		}
	}
	b := &blocks{ctx: ctx, file: f, size: size}
	return b, b.close
}

// blocks reads an object at any place. Safe for concurrent use.
type blocks struct {
	ctx  context.Context // of one pass through the file
	file file
	size int64

	mu      sync.Mutex
	kept    []block  // the one that was used last is at the end
	streams []stream // as kept
}

type block struct {
	at   int64
	data []byte
}

type stream struct {
	at int64 // of its next byte
	io.ReadCloser
}

func (b *blocks) ReadAt(p []byte, off int64) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n < len(p) && off < b.size {
		data, err := b.block(off / blockSize * blockSize)
		if err != nil {
			return n, &readError{err}
		}
		part := copy(p[n:], data[off%blockSize:])
		n, off = n+part, off+int64(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// block returns the block at an offset.
func (b *blocks) block(at int64) ([]byte, error) {
	i := slices.IndexFunc(b.kept, func(k block) bool { return k.at == at })
	if i >= 0 {
		found := b.kept[i]
		b.kept = append(slices.Delete(b.kept, i, i+1), found)
		return found.data, nil
	}
	var data []byte
	if len(b.kept) == mostBlocks {
		data = b.kept[0].data[:0]
		b.kept = slices.Delete(b.kept, 0, 1)
	}
	data = slices.Grow(data, blockSize)[:min(blockSize, b.size-at)]
	if err := b.fill(data, at); err != nil {
		return nil, err
	}
	b.kept = append(b.kept, block{at, data})
	return data, nil
}

// fill reads a block by the stream that has come to it, or by a new one.
func (b *blocks) fill(data []byte, at int64) error {
	var s stream
	if i := slices.IndexFunc(b.streams, func(s stream) bool { return s.at == at }); i >= 0 {
		s = b.streams[i]
		b.streams = slices.Delete(b.streams, i, i+1)
	} else {
		if len(b.streams) == mostStreams {
			_ = b.streams[0].Close() // it was only read
			b.streams = slices.Delete(b.streams, 0, 1)
		}
		content, err := b.file.from(b.ctx, at)
		if err != nil {
			return err
		}
		s = stream{at, content}
	}
	n, err := io.ReadFull(s, data)
	if err != nil {
		_ = s.Close() // the error is that of reading
		return err
	}
	s.at += int64(n)
	b.streams = append(b.streams, s)
	return nil
}

func (b *blocks) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		_ = s.Close() // it was only read
	}
	b.streams, b.kept = nil, nil
}
