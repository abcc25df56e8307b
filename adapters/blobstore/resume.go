package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	// stallTime is how long a body may give nothing before its rest is asked for again.
	stallTime = time.Minute
	// resumeAttempts is how often the rest of a body is asked for without a byte coming.
	resumeAttempts = 6
)

var errStalled = errors.New("nothing came for too long")

// resuming is the content of one version of an object, or a range of it. When its body
// breaks off or nothing comes for a while, it asks for the rest from the same byte of the
// same version. It is used by one goroutine at a time.
type resuming struct {
	*reading
	ctx     context.Context
	content *driver.Content
	key     string
	offset  int64 // of the next byte
	end     int64 // after the last byte

	body     io.ReadCloser           // nil: it has to be asked for
	cancel   context.CancelCauseFunc // ends the request of body
	watchdog *time.Timer             // calls cancel when nothing comes
	closed   bool
	failures int // since the last byte
}

// newResuming returns what reads the body of an opened object, whose request cancel ends.
func newResuming(ctx context.Context, rd *reading, r *reader, cancel context.CancelCauseFunc) *resuming {
	c := &resuming{reading: rd, ctx: ctx, content: &r.content, key: r.object.Key, offset: r.read, end: r.content.Size}
	if r.body == nil {
		cancel(nil)
		return c
	}
	c.watch(cancel)
	c.body = r.body
	return c
}

// watch lets cancel run when nothing comes for too long.
func (c *resuming) watch(cancel context.CancelCauseFunc) {
	c.cancel, c.watchdog = cancel, time.AfterFunc(c.stall, func() { cancel(errStalled) })
	c.watchdog.Stop() // only Read and get start it
}

// get asks for the rest of the content. A store that accepts the connection and answers
// nothing stalls, too.
func (c *resuming) get() error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	c.watch(cancel)
	c.watchdog.Reset(c.stall)
	body, err := c.content.Range(ctx, c.offset, c.end)
	c.watchdog.Stop()
	if err != nil {
		cancel(err)
		return err
	}
	c.body = body
	return nil
}

func (c *resuming) Read(p []byte) (int, error) {
	for {
		switch {
		case c.closed:
			return 0, fs.ErrClosed
		case c.offset == c.end:
			return 0, io.EOF
		case c.body == nil:
			if err := c.get(); err != nil {
				if err = c.failed(err); err != nil {
					return 0, err
				}
				continue
			}
		}
		c.watchdog.Reset(c.stall)
		n, err := c.body.Read(p[:min(int64(len(p)), c.end-c.offset)])
		c.watchdog.Stop()
		if c.offset += int64(n); n > 0 {
			c.failures = 0
		}
		if err == nil || c.offset == c.end {
			return n, nil // the end comes with the next call
		}
		c.drop()
		if err = c.failed(err); err != nil || n > 0 {
			return n, err
		}
	}
}

// failed waits before the next attempt, or returns why there is none.
func (c *resuming) failed(err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		err = errStalled // only the watchdog cancels it
	}
	if pipeline.Classify(err) != pipeline.ClassTransient {
		return err
	}
	c.log.DebugContext(c.ctx, "body broke off", "bucket", c.bucket, "key", c.key, "offset", c.offset, "size", c.content.Size, "err", err)
	if c.failures++; c.failures > resumeAttempts {
		return fmt.Errorf("the body broke off at byte %d of %d, and %d times more without another byte: %w", c.offset, c.content.Size, resumeAttempts, err)
	}
	if c.failures == 1 {
		return nil
	}
	if !driver.Backoff.Wait(c.ctx, c.failures-1) {
		return c.ctx.Err()
	}
	return nil
}

// drop gives the body up.
func (c *resuming) drop() {
	if c.body != nil {
		c.watchdog.Stop()
		c.cancel(nil)
		_ = c.body.Close() // what it did not give, it will not give now
		c.body = nil
	}
}

func (c *resuming) Close() error {
	c.closed = true
	c.drop()
	return nil
}
