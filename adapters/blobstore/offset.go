package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/pipeline"
)

var _ pipeline.OffsetSource = (*Store)(nil)

// offsetContents are contents that can be read from the middle on.
type offsetContents interface {
	// openAt is contents.open from a byte on.
	openAt(ctx context.Context, o pipeline.Object, offset int64) (content, state, error)
}

// OpenAt implements pipeline.OffsetSource. It is Open in everything else.
func (s *Store) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	at, ok := s.contents.(offsetContents)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	err := s.contents.check(o.Key)
	var (
		c   content
		now state
	)
	if err == nil {
		c, now, err = at.openAt(ctx, o, offset)
	}
	if err == nil && !now.is(o) {
		_ = c.Close() // nothing was read
		err = fmt.Errorf("%w: it has ETag %s, not %s", pipeline.ErrChanged, now.etag, o.ETag)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s at byte %d: %w", printable(o), offset, err)
	}
	return &reader{content: c, object: now.of(o), read: offset}, nil
}

func (f *folder) openAt(_ context.Context, o pipeline.Object, offset int64) (content, state, error) {
	file, version, err := f.openFile(o.Key)
	if err != nil {
		return nil, state{}, err
	}
	if _, err = file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close() // nothing was read
		return nil, state{}, err
	}
	return file, stateOf(version), nil
}

func (b *objects) openAt(ctx context.Context, o pipeline.Object, offset int64) (content, state, error) {
	attrs, err := b.bucket.Attributes(ctx, o.Key)
	if err != nil {
		return nil, state{}, translate(err)
	}
	now := state{etag: trimETag(attrs.ETag), size: attrs.Size}
	if offset > attrs.Size || !now.is(o) {
		return nil, state{}, fmt.Errorf("%w: it has ETag %s and %d bytes", pipeline.ErrChanged, now.etag, now.size)
	}
	r, err := b.bucket.NewRangeReader(ctx, o.Key, offset, -1, nil)
	if err != nil {
		return nil, state{}, translate(err)
	}
	if r.Size() != attrs.Size || !r.ModTime().Equal(attrs.ModTime) {
		_ = r.Close() // nothing was read
		return nil, state{}, pipeline.ErrChanged
	}
	return objectContent{r, attrs}, now, nil
}

// openAt asks for the headers of the whole object first: an answer with a part of
// it says neither its length for sure nor its checksums.
func (b *s3Bucket) openAt(ctx context.Context, o pipeline.Object, offset int64) (content, state, error) {
	c := &s3Content{s3: b, ctx: ctx, key: o.Key, versionID: o.VersionID, offset: offset}
	if versionOf(o.VersionID) == "" {
		c.etag = o.ETag
	}
	err := b.keyed(func(k customerKey) error {
		c.customerKey = k
		return c.head()
	})
	if err != nil {
		return nil, state{}, b.translate(err, "s3:GetObject, s3:GetObjectVersion")
	}
	now := state{c.etag, c.size, versionOf(c.versionID)}
	if offset > c.size || !now.is(o) {
		return nil, state{}, fmt.Errorf("%w: it has ETag %s and %d bytes", pipeline.ErrChanged, now.etag, now.size)
	}
	if offset == c.size {
		return emptyContent{c}, now, nil // of which S3 has no range
	}
	if err := c.get(); err != nil {
		return nil, state{}, b.translate(err, "s3:GetObject, s3:GetObjectVersion")
	}
	return newRanges(c), now, nil
}

// head learns of the content what get learns from an answer with all of it.
func (c *s3Content) head() error {
	in := &s3.HeadObjectInput{
		Bucket:               &c.s3.name,
		Key:                  &c.key,
		RequestPayer:         c.s3.payer(),
		SSECustomerAlgorithm: c.customerKey.algorithm,
		SSECustomerKey:       c.customerKey.key,
		SSECustomerKeyMD5:    c.customerKey.sum,
	}
	if id := versionOf(c.versionID); id != "" {
		in.VersionId = &id
	} else if c.etag != "" { // not every store can be asked for the version "null"
		in.IfMatch = aws.String(`"` + c.etag + `"`)
	}
	out, err := c.s3.client.HeadObject(c.ctx, in, withChecksums)
	if err != nil {
		return err
	}
	offset := c.offset
	c.offset = 0
	defer func() { c.offset = offset }()
	return c.accept(&s3.GetObjectOutput{
		ContentLength: out.ContentLength, ETag: out.ETag, VersionId: out.VersionId, Metadata: out.Metadata,
		ServerSideEncryption: out.ServerSideEncryption, SSECustomerAlgorithm: out.SSECustomerAlgorithm,
		SSEKMSKeyId: out.SSEKMSKeyId, PartsCount: out.PartsCount,
		ChecksumType: out.ChecksumType, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
		ChecksumSHA512: out.ChecksumSHA512, ChecksumMD5: out.ChecksumMD5, ChecksumXXHASH3: out.ChecksumXXHASH3,
		ChecksumXXHASH64: out.ChecksumXXHASH64, ChecksumXXHASH128: out.ChecksumXXHASH128,
	})
}

// emptyContent is what comes after the last byte, with the claims of the whole.
type emptyContent struct{ *s3Content }

func (emptyContent) Read([]byte) (int, error) { return 0, io.EOF }
