package digest

import (
	"context"
	"errors"
	"io"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// ReaderNow is a reader that knows what it has at hand, such as a file of which the
// system has pages in memory.
type ReaderNow interface {
	io.Reader
	// ReadNow does what Read does, if that does not take the time of a disk or a
	// network. Else it fails with ErrWait, and after it Read is called. An error that is
	// errors.ErrUnsupported says that it never will do anything. Goroutines other than
	// the one that reads call it, one at a time.
	ReadNow(p []byte) (int, error)
}

// ErrWait is returned by ReadNow if there is nothing to read before some time has passed.
var ErrWait = errors.New("digest: what is to be read is not at hand")

// ReadNow calls r's ReadNow, if it is a ReaderNow. It is for those who wrap one.
func ReadNow(r io.Reader, p []byte) (int, error) {
	if now, ok := r.(ReaderNow); ok {
		return now.ReadNow(p)
	}
	return 0, errors.ErrUnsupported
}

// Waits reports whether err, of a ReadNow, only sends the caller to Read.
func Waits(err error) bool { return errors.Is(err, ErrWait) || errors.Is(err, errors.ErrUnsupported) }

// fetcher feeds a Digest from a reader.
type fetcher struct {
	digest *Digest
	hash   md5lanes.Fetcher
	r      ReaderNow
	ctx    context.Context
	n      int   // bytes of this fetch
	err    error // that ended it
}

// fetcherOf returns nil if d or r cannot do that.
func fetcherOf(d io.Writer, r io.Reader) *fetcher {
	now, ok := r.(ReaderNow)
	if !ok {
		return nil
	}
	var digest *Digest
	switch d := d.(type) {
	case *Digest:
		digest = d
	case *Verifier:
		if len(d.parts) > 0 {
			return nil
		}
		digest = d.whole
	}
	if digest == nil || len(digest.hashes) != 1 {
		return nil
	}
	h, ok := digest.hashes[0].(md5lanes.Fetcher)
	if !ok {
		return nil
	}
	return &fetcher{digest: digest, hash: h, r: now}
}

// fetch reads and hashes until there is nothing at hand: ErrWait. Without an error, ctx is
// done or CPUs have become free for reading ahead.
func (f *fetcher) fetch(ctx context.Context, buf []byte) (int64, error) {
	f.ctx, f.err, f.n = ctx, nil, 0
	n, err := f.hash.WriteFrom(buf, f.next)
	f.digest.size += n
	if err == nil {
		err = f.err
	}
	return n, err
}

func (f *fetcher) next(p []byte) int {
	if f.err != nil || f.ctx.Err() != nil || f.n >= aheadAfter && spare(true) {
		return 0
	}
	n := 0
	if n, f.err = f.r.ReadNow(p); n == 0 && f.err == nil {
		f.err = ErrWait
	}
	f.n += n
	return n
}
