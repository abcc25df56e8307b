package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/pipeline"
)

// What is known about the conditions of writes.
const (
	conditionsUnknown int32 = iota
	conditionsProbed        // somebody is finding out
	conditionsHeeded
	conditionsIgnored
)

// lock excludes this process only; others are kept off by conditions.
func (b *s3Bucket) lock(ctx context.Context, key string) (func(), error) {
	return b.locks.lock(ctx, key)
}

func (b *s3Bucket) local() bool { return false }

func (b *s3Bucket) reserved(key string) bool { return isCheckpoint(key) }

// create takes one request, from when on the store is known to refuse it where
// something is.
func (b *s3Bucket) create(ctx context.Context, key string, s *sidecar) error {
	if err := recordFault(key); err != nil {
		return err
	}
	if b.conditions.Load() != conditionsHeeded {
		return pipeline.ErrChanged
	}
	return b.put(ctx, key, s.line, s.metadata, ifNone)
}

// recordFault explains why there can be no record of a key.
func recordFault(key string) error {
	if len(key) > s3KeyLimit {
		return pipeline.Permanent(fmt.Errorf("its key would be longer (%d bytes) than S3 allows (%d): %w", len(key), s3KeyLimit, syscall.ENAMETOOLONG))
	}
	return nil
}

// read takes one request, as a GET tells metadata and ETag too.
func (b *s3Bucket) read(ctx context.Context, key string) (*sidecar, error) {
	if err := recordFault(key); err != nil {
		return nil, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if f := s3FaultOf(err); f.status == http.StatusNotFound && f.code == "" {
		return nil, b.whatIsGone(ctx, err) // XML cannot name a key with control characters
	}
	if err != nil {
		err = b.translate(err, "s3:GetObject")
		if errors.Is(err, pipeline.ErrArchived) {
			return b.readArchived(ctx, key)
		}
		return nil, err
	}
	line, err := io.ReadAll(io.LimitReader(out.Body, sidecarLimit))
	_ = out.Body.Close() // what was read was read
	if err != nil {
		return nil, b.translate(err, "s3:GetObject")
	}
	s := &sidecar{line: string(line), metadata: unescapeMetadata(out.Metadata), etag: aws.ToString(out.ETag)}
	if s.ours() {
		s.line, s.binary = withoutAsterisk(s.line)
	}
	return s, nil
}

// readArchived reads what can be read of a sidecar that a lifecycle rule took to
// the archive together with its object.
func (b *s3Bucket) readArchived(ctx context.Context, key string) (*sidecar, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if err != nil {
		return nil, b.translate(err, "s3:GetObject")
	}
	return &sidecar{metadata: unescapeMetadata(out.Metadata), etag: aws.ToString(out.ETag), archived: true}, nil
}

// write makes S3 refuse what would undo the work of another process: a record is
// created only if there is none, and replaces only what was read.
//
// S3 compares ETags, and the ETag of a record is mostly the MD5 of its line: two
// records of different versions with the same content would look the same, and a
// worker that is late could replace the newer one for the older one that it had
// read. A line that replaces its like therefore gets, or loses, the asterisk of
// md5sum --binary, which means nothing to those who read it.
func (b *s3Bucket) write(ctx context.Context, key string, s, old *sidecar) error {
	if err := recordFault(key); err != nil {
		return err
	}
	line := s.line
	if old != nil && old.line == line && !old.binary {
		line = withAsterisk(line)
	}
	cond := ifNone
	switch {
	case b.conditions.Load() == conditionsIgnored:
		cond = condition{}
	case old != nil:
		cond = condition{ifMatch: old.etag}
	}
	err := b.put(ctx, key, line, s.metadata, cond)
	if s3FaultOf(err).unsupported() && cond != (condition{}) {
		b.ignoresConditions(ctx)
		err = b.put(ctx, key, line, s.metadata, condition{})
	}
	if errors.Is(err, pipeline.ErrChanged) && old == nil && b.deleted(ctx, key) {
		// Some stores take the marker of a deletion for an object. If this one
		// does and not just somebody was faster, it will say so again.
		if err = b.put(ctx, key, line, s.metadata, ifNone); errors.Is(err, pipeline.ErrChanged) && b.deleted(ctx, key) {
			err = b.put(ctx, key, line, s.metadata, condition{})
		}
	}
	if err == nil {
		b.probe(ctx, key, line, s.metadata)
	}
	return err
}

// deleted reports whether what is there is the marker of a deletion.
func (b *s3Bucket) deleted(ctx context.Context, key string) bool {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if err == nil {
		_ = out.Body.Close() // it is not read
	}
	f := s3FaultOf(err)
	return f.status == http.StatusNotFound && f.header.Get("X-Amz-Delete-Marker") == "true"
}

// condition is what must hold for a write. The zero value is none.
type condition struct{ ifMatch, ifNoneMatch string }

var (
	ifNone  = condition{ifNoneMatch: "*"}
	ifNever = condition{ifMatch: `"00000000000000000000000000000000"`}
)

// put takes one request. ErrChanged if the condition does not hold.
func (b *s3Bucket) put(ctx context.Context, key, line string, metadata map[string]string, c condition) error {
	in := b.putInput(key, line, metadata)
	if c.ifMatch != "" {
		in.IfMatch = &c.ifMatch
	}
	if c.ifNoneMatch != "" {
		in.IfNoneMatch = &c.ifNoneMatch
	}
	_, err := b.client.PutObject(ctx, in)
	if c.ifMatch != "" && s3FaultOf(err).notFound() {
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	}
	if why := explainRecord(s3FaultOf(err)); why != "" {
		return fmt.Errorf("%s: %w", why, err)
	}
	return b.translate(err, "s3:PutObject (with tags: s3:PutObjectTagging)")
}

func (b *s3Bucket) putInput(key, line string, metadata map[string]string) *s3.PutObjectInput {
	in := &s3.PutObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		Body:                 strings.NewReader(line),
		ContentType:          aws.String("text/plain; charset=utf-8"),
		Metadata:             escapeMetadata(metadata),
		RequestPayer:         b.payer(),
		StorageClass:         types.StorageClass(b.records.StorageClass),
		ServerSideEncryption: b.writes.EncryptionType,
	}
	if b.writes.KMSEncryptionID != "" {
		in.SSEKMSKeyId = &b.writes.KMSEncryptionID
	}
	if b.records.KMSKey != "" {
		in.SSEKMSKeyId = &b.records.KMSKey
		if in.ServerSideEncryption == "" {
			in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		}
	}
	if len(b.records.Tags) > 0 {
		tags := make(url.Values)
		for k, v := range b.records.Tags {
			tags.Set(k, v)
		}
		in.Tagging = aws.String(tags.Encode())
	}
	return in
}

// probe finds out, after the first write, whether the store heeds conditions: it
// writes the same again in two ways that must be refused. A store that does not
// tell what it cannot do has then the same record once more.
func (b *s3Bucket) probe(ctx context.Context, key, line string, metadata map[string]string) {
	if !b.conditions.CompareAndSwap(conditionsUnknown, conditionsProbed) {
		return
	}
	for _, c := range []condition{ifNone, ifNever} {
		err := b.put(ctx, key, line, metadata, c)
		switch {
		case err == nil, s3FaultOf(err).unsupported():
			b.ignoresConditions(ctx)
			return
		case !errors.Is(err, pipeline.ErrChanged):
			b.conditions.Store(conditionsUnknown) // somebody else will find out
			return
		}
	}
	b.conditions.Store(conditionsHeeded)
}

// ignoresConditions goes on without conditions: what is there is looked at right
// before it is written.
func (b *s3Bucket) ignoresConditions(ctx context.Context) {
	if b.conditions.Swap(conditionsIgnored) != conditionsIgnored {
		b.log.WarnContext(ctx, "the store does not heed conditional writes: two workers that write the record of one object at the same instant may leave that of the older version",
			"bucket", b.name)
	}
}

// remove takes away what was read, unless it is another by now. A store that does
// not heed the condition removes what is there.
func (b *s3Bucket) remove(ctx context.Context, key string, old *sidecar) error {
	if old == nil {
		return nil
	}
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()}
	if b.conditions.Load() != conditionsIgnored {
		in.IfMatch = &old.etag
	}
	_, err := b.client.DeleteObject(ctx, in)
	if in.IfMatch != nil && s3FaultOf(err).unsupported() {
		in.IfMatch = nil // some heed it for writes only
		_, err = b.client.DeleteObject(ctx, in)
	}
	return b.translate(err, "s3:DeleteObject")
}

// escapeMetadata makes values printable ASCII, as gocloud does.
func escapeMetadata(metadata map[string]string) map[string]string {
	escaped := make(map[string]string, len(metadata))
	for k, v := range metadata {
		escaped[k] = url.PathEscape(v)
	}
	return escaped
}

func unescapeMetadata(metadata map[string]string) map[string]string {
	plain := make(map[string]string, len(metadata))
	for k, v := range metadata {
		plain[k] = v
		if u, err := url.PathUnescape(v); err == nil {
			plain[k] = u
		}
	}
	return plain
}

// withAsterisk returns a line of md5sum as md5sum --binary prints it.
func withAsterisk(line string) string { return strings.Replace(line, "  ", " *", 1) }

// withoutAsterisk is the inverse of withAsterisk. It reports whether there was
// one.
func withoutAsterisk(line string) (string, bool) {
	value, rest, ok := strings.Cut(line, " *")
	if !ok || strings.Contains(value, " ") {
		return line, false
	}
	return value + "  " + rest, true
}
