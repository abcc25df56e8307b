package digest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// bufferSize is how many bytes Copy asks a reader for at once. A buffer of this size fits
// into the inner caches together with the state of every hash. Larger reads are not faster.
const bufferSize = 128 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// emptyReads is how many reads in a row may return 0 bytes and no error before Copy
// gives up.
const emptyReads = 100

// copies is the number of calls of Copy that are running.
var copies atomic.Int64

// Copy reads r to its end, writes the bytes to d, a [Digest] or [Verifier], and returns
// their number. It returns ctx's cause soon after ctx is done, but does not interrupt a
// Read. A reader that returns 0 bytes and no error 100 times in a row is
// [io.ErrNoProgress]. Copy never calls WriteTo, because that of a cloud reader allocates
// a large buffer for each object.
//
// If r is a [ReaderNow] and d computes MD5 alone, Copy hashes the bytes that r has at hand
// without waking a goroutine for them.
//
// While few copies run and CPUs idle, a second goroutine reads long content ahead of the
// hash. That goroutine has ended when Copy returns.
func Copy(ctx context.Context, d io.Writer, r io.Reader) (int64, error) {
	copies.Add(1)
	defer copies.Add(-1)
	s := source{r: r}
	fetcher := fetcherOf(d, r)
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	var total int64
	for since := 0; ; {
		if ctx.Err() != nil {
			return total, context.Cause(ctx)
		}
		if since >= aheadAfter && spare(fetcher != nil) {
			n, err := copyAhead(ctx, d, &s, fetcher != nil)
			total += n
			if err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
			since = 0
			continue
		}
		if fetcher != nil {
			n, err := fetcher.fetch(ctx, buf[:])
			total += n
			since += int(n)
			switch {
			case err == io.EOF:
				return total, nil
			case err == nil:
				continue
			case errors.Is(err, errors.ErrUnsupported):
				fetcher = nil
			case err != ErrWait:
				return total, err
			}
		}
		n, err := s.read(buf[:])
		total += int64(n)
		since += n
		if _, err := d.Write(buf[:n]); err != nil {
			return total, err
		}
		if err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// aheadOfFetch is the number of running copies up to which reading ahead is faster than a
// hash that fetches. More copies that fetch share the lanes of one hash.
const aheadOfFetch = 2

// spare reports whether CPUs are free for a goroutine that reads ahead, and whether the
// copy gains from one. fetches says whether the copy's hash fetches.
func spare(fetches bool) bool {
	n := copies.Load()
	return n <= int64(runtime.GOMAXPROCS(0)/2) && !(fetches && n > aheadOfFetch)
}

// source is the reader of a copy.
type source struct {
	r     io.Reader
	empty int // reads in a row that returned 0 bytes and no error
}

func (s *source) read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	switch {
	case err != nil:
		return n, err
	case n > 0:
		s.empty = 0
	default:
		if s.empty++; s.empty == emptyReads {
			return 0, io.ErrNoProgress
		}
	}
	return n, nil
}
