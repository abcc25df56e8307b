package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// resumeAttempts is how often the rest of a body is asked for without a byte
// coming.
const resumeAttempts = 6

// s3Content is the content of one version of an object, or a range of it. When its body breaks
// off or nothing comes for a while, it goes on at the same offset of the same
// version. It is used by one goroutine at a time.
type s3Content struct {
	s3          *s3Bucket
	ctx         context.Context
	key         string
	customerKey customerKey

	// What to read: the version or, where there are none, what has the ETag. The
	// first answer sets what the event did not tell.
	versionID string
	etag      string // without quotes
	size      int64  // bytes of the whole
	begun     bool   // there was an answer

	claimed []pipeline.Claim // what the first answer says of the content; see claims
	asked   bool             // somebody else checks what is claimed
	guard   *guard           // else this does; nil if there is nothing to check

	offset   int64 // of the next byte
	end      int64 // of the last byte and one; 0: that of the object
	body     *blob.Reader
	cancel   context.CancelCauseFunc // ends the request of body
	watchdog *time.Timer             // does so when nothing comes
	closed   bool
	failures int   // since the last byte
	broke    error // the last of them
}

var errStalled = errors.New("nothing came for too long")

// get asks for the rest of the content.
func (c *s3Content) get() error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	length := int64(-1)
	if c.begun && c.end < c.size {
		length = c.end - c.offset
	}
	body, err := c.s3.bucket.NewRangeReader(ctx, c.key, c.offset, length, &blob.ReaderOptions{
		BeforeRead: func(as func(any) bool) error {
			var in *s3.GetObjectInput
			var calls *[]func(*s3.Options)
			if !as(&in) || !as(&calls) {
				return errors.New("gocloud does not show its request")
			}
			*calls = append(*calls, withChecksums)
			in.Key = &c.key
			if c.versionID != "" {
				in.VersionId = &c.versionID
			}
			if versionOf(c.versionID) == "" && c.etag != "" {
				in.IfMatch = aws.String(`"` + c.etag + `"`)
			}
			in.RequestPayer = c.s3.payer()
			in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = c.customerKey.algorithm, c.customerKey.key, c.customerKey.sum
			return nil
		},
	})
	if err != nil {
		cancel(err)
		return err
	}
	c.body, c.cancel = body, cancel
	c.watchdog = time.AfterFunc(c.s3.stall, func() { cancel(errStalled) })
	c.watchdog.Stop() // it watches reads only
	var out s3.GetObjectOutput
	if !body.As(&out) {
		err = errors.New("gocloud does not show its response")
	} else {
		err = c.accept(&out)
	}
	if err != nil {
		c.drop()
	}
	return err
}

// accept makes sure that the answer is what was asked for.
func (c *s3Content) accept(out *s3.GetObjectOutput) error {
	length, etag, versionID := aws.ToInt64(out.ContentLength), trimETag(aws.ToString(out.ETag)), aws.ToString(out.VersionId)
	if out.ContentLength == nil {
		return errUnknownLength
	}
	if !c.begun {
		if err := (&sidecar{metadata: unescapeMetadata(out.Metadata)}).isOwnRecord(c.key); err != nil {
			return err
		}
		c.begun, c.size, c.end, c.etag, c.claimed = true, length, length, etag, c.s3.claimsOf(out)
		if versionID != "" || c.versionID != "" {
			// What has another version is another object, see Store.Open.
			c.versionID = versionID
		}
		return nil
	}
	want := ""
	if c.offset > 0 || c.end < c.size {
		want = fmt.Sprintf("bytes %d-%d/%d", c.offset, c.end-1, c.size)
	}
	switch {
	case etag != c.etag || versionID != c.versionID:
		return fmt.Errorf("%w: it was replaced while it was read", pipeline.ErrChanged)
	case aws.ToString(out.ContentRange) != want || length != c.end-c.offset:
		return fmt.Errorf("the store was asked for the %d bytes from byte %d on and sends %d (%q)", c.end-c.offset, c.offset, length, aws.ToString(out.ContentRange))
	}
	return nil
}

// Read implements io.Reader.
func (c *s3Content) Read(p []byte) (int, error) {
	begins := c.offset == 0
	n, err := c.read(p)
	return n, c.check(begins, p[:n], err)
}

// check returns err, or what the guard has to say at the end. It is given what was
// read, and whether it is the first.
func (c *s3Content) check(begins bool, p []byte, err error) error {
	if begins && !c.asked && c.guard == nil {
		c.guard = newGuard(c.claimed)
	}
	c.guard.write(p)
	if err == io.EOF {
		if fault := c.guard.check(); fault != nil {
			return fault
		}
	}
	return err
}

// read reads what nobody has checked.
func (c *s3Content) read(p []byte) (int, error) {
	for {
		if c.closed {
			return 0, fs.ErrClosed
		}
		if c.body == nil {
			if err := c.resume(); err != nil {
				return 0, err
			}
		}
		c.watchdog.Reset(c.s3.stall)
		n, err := c.body.Read(p)
		c.watchdog.Stop()
		if c.offset += int64(n); n > 0 {
			c.failures = 0
		}
		switch {
		case err == nil, err == io.EOF && c.offset == c.end:
			return n, err
		case c.ctx.Err() != nil:
			return n, c.ctx.Err()
		case c.offset == c.end:
			// All came, and yet it is no end.
			return n, c.s3.translate(err, "s3:GetObject")
		}
		if errors.Is(err, context.Canceled) {
			err = errStalled
		}
		c.drop()
		c.failures++
		c.broke = err
		c.s3.log.DebugContext(c.ctx, "body broke off", "bucket", c.s3.name, "key", c.key, "offset", c.offset, "size", c.size, "err", err)
		if n > 0 {
			return n, nil
		}
	}
}

// resume asks for the rest of the content until there is an answer, no hope, or
// it was tried too often.
func (c *s3Content) resume() error {
	for ; c.failures <= resumeAttempts; c.failures++ {
		if err := c.wait(); err != nil {
			return err
		}
		err := c.get()
		if err == nil {
			return nil
		}
		c.broke = c.s3.translate(err, "s3:GetObject, s3:GetObjectVersion")
		if pipeline.Classify(c.broke) != pipeline.ClassTransient {
			return c.broke
		}
	}
	return fmt.Errorf("the body broke off at byte %d of %d, and %d times more without another byte: %w", c.offset, c.size, resumeAttempts, c.broke)
}

// wait takes the longer the more attempts have failed; nothing for the first.
func (c *s3Content) wait() error {
	if c.failures <= 1 {
		return c.ctx.Err()
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
func (c *s3Content) drop() {
	if c.body != nil {
		c.watchdog.Stop()
		c.cancel(nil)
		_ = c.body.Close() // what it did not give, it will not give now
		c.body = nil
	}
}

// Close implements io.Closer.
func (c *s3Content) Close() error {
	c.closed = true
	if c.body == nil {
		return nil
	}
	c.watchdog.Stop()
	err := c.body.Close()
	c.cancel(nil)
	c.body = nil
	return err
}
