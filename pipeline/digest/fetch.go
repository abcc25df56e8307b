package digest

import (
	"context"
	"errors"
	"io"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// ReaderNow is a reader that can return the bytes that it has at hand, such as a file whose
// pages the system has in memory.
type ReaderNow interface {
	io.Reader
	// ReadNow does what Read does, if that need not wait for a disk or a network.
	// Otherwise it fails with ErrWait, and the caller calls Read next. It fails with
	// errors.ErrUnsupported if it can never read anything. It may be called from
	// another goroutine than Read, but no two calls of the two run at the same time.
	ReadNow(p []byte) (int, error)
}

// ErrWait is the error of a ReadNow that would have to wait for a disk or a network.
var ErrWait = errors.New("digest: the next bytes are not in memory")

// ReadNow calls r's ReadNow if r is a [ReaderNow], and otherwise fails with
// [errors.ErrUnsupported]. Readers that wrap another one use it.
func ReadNow(r io.Reader, p []byte) (int, error) {
	if now, ok := r.(ReaderNow); ok {
		return now.ReadNow(p)
	}
	return 0, errors.ErrUnsupported
}

// Waits reports whether err, of a ReadNow, only means that the caller has to call Read.
func Waits(err error) bool { return errors.Is(err, ErrWait) || errors.Is(err, errors.ErrUnsupported) }

// fetcher feeds a Digest from a reader: the digest's hash calls the reader.
type fetcher struct {
	digest *Digest
	hash   md5lanes.Fetcher
	r      ReaderNow
	ctx    context.Context
	n      int   // bytes of this fetch
	err    error // the one that ended this fetch
}

// fetcherOf returns nil if r is not a ReaderNow or d computes more than the MD5 of the
// whole content.
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

// fetch reads and hashes the bytes that r has at hand, then returns ErrWait. It returns
// nil if ctx is done or CPUs have become free for reading ahead.
func (f *fetcher) fetch(ctx context.Context, buf []byte) (int64, error) {
	f.ctx, f.err, f.n = ctx, nil, 0
	n, err := f.hash.WriteFrom(buf, f.next)
	f.digest.size += n
	if err == nil {
		err = f.err
	}
	return n, err
}

// next is the function that the hash calls for more bytes.
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
