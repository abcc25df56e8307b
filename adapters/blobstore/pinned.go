package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// stallTime is how long a body may give nothing before its rest is asked for anew.
const stallTime = time.Minute

// pinned is the content of one version of an object on Google Cloud Storage or
// Azure. When its body breaks off or nothing comes for a while, it goes on at the
// same byte of the same version. It is used by one goroutine at a time.
type pinned struct {
	ctx context.Context
	// from asks for the content from a byte on; of no other version. Its errors
	// are the pipeline's.
	from    func(ctx context.Context, offset int64) (io.ReadCloser, error)
	size    int64 // bytes of the whole; -1: the first call of from sets it
	offset  int64 // of the next byte
	claimed []pipeline.Claim

	body     io.ReadCloser
	cancel   context.CancelCauseFunc // ends the request of body
	watchdog *time.Timer             // does so when nothing comes
	closed   bool
	failures int // since the last byte
}

var _ claimant = (*pinned)(nil)

// begin asks for the content, so that what cannot be read shows at once. After the
// last byte there is nothing to ask for.
func (c *pinned) begin() error {
	if c.offset == c.size {
		return nil
	}
	return c.get()
}

func (c *pinned) get() error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	// A store that takes the connection and answers nothing stalls, too.
	c.watchdog = time.AfterFunc(stallTime, func() { cancel(errStalled) })
	body, err := c.from(ctx, c.offset)
	c.watchdog.Stop()
	if err != nil {
		cancel(err)
		return err
	}
	c.body, c.cancel = body, cancel
	return nil
}

// claims implements claimant.
func (c *pinned) claims(context.Context) []pipeline.Claim { return c.claimed }

// Read implements io.Reader.
func (c *pinned) Read(p []byte) (int, error) {
	for {
		switch {
		case c.closed:
			return 0, fs.ErrClosed
		case c.offset == c.size:
			return 0, io.EOF
		case c.body == nil:
			if err := c.get(); err != nil {
				if err = c.failed(err); err != nil {
					return 0, err
				}
				continue
			}
		}
		c.watchdog.Reset(stallTime)
		n, err := c.body.Read(p[:min(int64(len(p)), c.size-c.offset)])
		c.watchdog.Stop()
		if c.offset += int64(n); n > 0 {
			c.failures = 0
		}
		if err == nil || c.offset == c.size {
			return n, nil // the end comes with the next call
		}
		c.drop()
		if err = c.failed(err); err != nil || n > 0 {
			return n, err
		}
	}
}

// failed waits before the next attempt, or returns why there is none.
func (c *pinned) failed(err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		err = errStalled // nobody else cancels it
	}
	if pipeline.Classify(err) != pipeline.ClassTransient {
		return err
	}
	if c.failures++; c.failures > resumeAttempts {
		return fmt.Errorf("the body broke off at byte %d of %d, and %d times more without another byte: %w", c.offset, c.size, resumeAttempts, err)
	}
	if c.failures == 1 {
		return nil
	}
	t := time.NewTimer(backoff(c.failures - 1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// drop gives the body up.
func (c *pinned) drop() {
	if c.body != nil {
		c.watchdog.Stop()
		c.cancel(nil)
		_ = c.body.Close() // what it did not give, it will not give now
		c.body = nil
	}
}

// Close implements io.Closer.
func (c *pinned) Close() error {
	c.closed = true
	c.drop()
	return nil
}

// cloudTransport returns the connections of one bucket; see patientTransport.
func cloudTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	patientTransport(t)
	return t
}
