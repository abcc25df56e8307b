package digest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// bufferSize is what Copy asks a reader for at once, in bytes. It fits the inner caches
// together with the state of every hash, and larger reads are not faster.
const bufferSize = 128 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// emptyReads is how many reads in a row may bring nothing before Copy gives up.
const emptyReads = 100

// copies is how many calls of Copy are under way.
var copies atomic.Int64

// Copy writes what r has left to d, a [Digest] or [Verifier], and returns how
// many bytes that was. It returns ctx's cause soon after ctx is done, but does not
// interrupt a Read. It only ever calls Read: the WriteTo of a cloud reader would
// allocate a large buffer for each object.
//
// If r is a [ReaderNow] and d computes MD5 alone, what r has at hand is hashed without a
// goroutine for it.
//
// While CPUs idle, because few copies are under way, what is long is read in a
// second goroutine ahead of the hash. That goroutine has ended when Copy
// returns.
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

// aheadOfFetch is with how many copies under way reading ahead beats a hash that fetches:
// more of those share its lanes.
const aheadOfFetch = 2

// spare reports whether there are CPUs for goroutines that read ahead, and these are of
// use to a copy that fetches or does not.
func spare(fetches bool) bool {
	n := copies.Load()
	return n <= int64(runtime.GOMAXPROCS(0)/2) && !(fetches && n > aheadOfFetch)
}

// source is what is copied.
type source struct {
	r     io.Reader
	empty int // reads in a row that brought nothing
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
