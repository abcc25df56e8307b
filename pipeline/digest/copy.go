package digest

import (
	"context"
	"io"
	"sync"
)

// bufferSize is what Copy asks a reader for at once. It fits the inner caches
// together with the state of every hash, and larger reads are not faster.
const bufferSize = 64 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// emptyReads is how many reads in a row may bring nothing before Copy gives up.
const emptyReads = 100

// Copy writes what r has left to d, a [Digest] or [Verifier], and returns how
// many bytes that was. It returns ctx's cause soon after ctx is done, but does not
// interrupt a Read. It only ever calls Read: the WriteTo of a cloud reader would
// allocate a large buffer for each object.
func Copy(ctx context.Context, d io.Writer, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	var (
		total int64
		empty int
	)
	for {
		if ctx.Err() != nil {
			return total, context.Cause(ctx)
		}
		n, err := r.Read(buf[:])
		total += int64(n)
		if _, err := d.Write(buf[:n]); err != nil {
			return total, err
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == emptyReads {
				return total, io.ErrNoProgress
			}
		}
	}
}
