package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// States of what is known about the conditions of writes.
const (
	conditionsUnknown int32 = iota
	conditionsProbed        // a request that finds out is under way
	conditionsHonoured
	conditionsIgnored
)

// permission names an action for an error message. For a checkpoint it adds the prefix of keys on which the
// action must be allowed.
func permission(action, key string) string {
	if strings.HasPrefix(key, driver.Checkpoints) {
		return action + " on " + driver.Checkpoints + "*"
	}
	return action
}

// Get implements driver.Bucket. It takes one request: a GET also returns metadata and ETag.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (*driver.Blob, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if f := faultOf(err); f.status == http.StatusNotFound && f.code == "" {
		return nil, b.whatIsGone(ctx, err) // XML cannot name a key with control characters
	}
	if err != nil {
		err = b.translate(err, permission("s3:GetObject", key))
		if errors.Is(err, pipeline.ErrArchived) {
			return b.getArchived(ctx, key)
		}
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, limit))
	_ = out.Body.Close() // all that is needed was read
	if err != nil {
		return nil, b.translate(err, "s3:GetObject")
	}
	return &driver.Blob{Data: data, Metadata: driver.UnescapeMetadata(out.Metadata), Tag: aws.ToString(out.ETag)}, nil
}

// getArchived returns the metadata of a record that a lifecycle rule moved to the archive
// together with its object.
func (b *bucket) getArchived(ctx context.Context, key string) (*driver.Blob, error) {
	out, err := b.client.HeadObject(ctx, b.headInput(key, customerKey{}))
	if err != nil {
		return nil, b.translate(err, "s3:GetObject")
	}
	return &driver.Blob{Metadata: driver.UnescapeMetadata(out.Metadata), Tag: aws.ToString(out.ETag), Archived: true}, nil
}

// Put implements driver.Bucket. A record is created only if there is none, and replaces only
// the record that was read, so that S3 refuses what would undo the work of another process.
func (b *bucket) Put(ctx context.Context, key string, data *driver.Blob, c driver.Condition) error {
	cond := ifNone
	switch {
	case c.Unseen && b.conditions.Load() != conditionsHonoured:
		return pipeline.ErrChanged
	case c.Unseen:
		return b.put(ctx, key, data, ifNone)
	case c.Any:
		return b.put(ctx, key, data, condition{})
	case b.conditions.Load() == conditionsIgnored:
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
		cond = condition{}
	case c.Old != nil:
		cond = condition{ifMatch: c.Old.Tag}
	}
	err := b.put(ctx, key, data, cond)
	if faultOf(err).unsupported() && cond != (condition{}) {
		b.ignoresConditions(ctx)
		err = b.put(ctx, key, data, condition{})
	}
	if errors.Is(err, pipeline.ErrChanged) && c.Old == nil && b.deleted(ctx, key) {
		// Some stores treat a delete marker as an object. If this store does, and no other
		// worker was faster, it refuses the second write, too.
		// A refusal because another write is under way says nothing about the marker, and that write
		// must not be overwritten.
		if err = b.put(ctx, key, data, ifNone); errors.Is(err, pipeline.ErrChanged) && !faultOf(err).conflict() && b.deleted(ctx, key) {
			err = b.put(ctx, key, data, condition{})
		}
	}
	if err == nil {
		b.probe(ctx, key, data)
	}
	return err
}

// deleted reports whether a delete marker is at the key.
func (b *bucket) deleted(ctx context.Context, key string) bool {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if err == nil {
		_ = out.Body.Close() // it is not read
	}
	f := faultOf(err)
	return f.status == http.StatusNotFound && f.header.Get("X-Amz-Delete-Marker") == "true"
}

// condition is the condition of a write. The zero value is none.
type condition struct{ ifMatch, ifNoneMatch string }

var (
	ifNone  = condition{ifNoneMatch: "*"}
	ifNever = condition{ifMatch: `"00000000000000000000000000000000"`}
)

// put takes one request. ErrChanged if the condition does not hold.
func (b *bucket) put(ctx context.Context, key string, data *driver.Blob, c condition) error {
	in := b.putInput(key, data)
	if c.ifMatch != "" {
		in.IfMatch = &c.ifMatch
	}
	if c.ifNoneMatch != "" {
		in.IfNoneMatch = &c.ifNoneMatch
	}
	_, err := b.client.PutObject(ctx, in)
	if c.ifMatch != "" && faultOf(err).notFound() {
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	}
	if why := shadowed(faultOf(err), key); why != "" {
		return pipeline.Permanent(fmt.Errorf("%s: %w", why, err))
	}
	if why := explainRecord(faultOf(err)); why != "" {
		return fmt.Errorf("%s: %w", why, err)
	}
	return b.translate(err, permission("s3:PutObject (with tags: s3:PutObjectTagging)", key))
}

func (b *bucket) putInput(key string, data *driver.Blob) *s3.PutObjectInput {
	in := &s3.PutObjectInput{
		Bucket:               &b.name,
		Key:                  &key,
		Body:                 bytes.NewReader(data.Data),
		ContentType:          &data.ContentType,
		Metadata:             driver.EscapeMetadata(data.Metadata),
		RequestPayer:         b.payer(),
		StorageClass:         types.StorageClass(b.records.StorageClass),
		ServerSideEncryption: b.writes.EncryptionType,
	}
	if strings.HasPrefix(key, driver.Checkpoints) {
		in.StorageClass = "" // cheaper classes bill for longer than a checkpoint lives
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

// probe finds out, after the first write, whether the store honours conditions: it repeats the
// write with two conditions that the store must refuse. A store that ignores conditions then
// writes the same record again.
//
// Another worker may remove the record meanwhile. Then ifNone holds, and the write puts the record
// back, which the caller's look after it finds. Only a store that accepts ifNone again and again
// ignores it.
func (b *bucket) probe(ctx context.Context, key string, data *driver.Blob) {
	if !b.conditions.CompareAndSwap(conditionsUnknown, conditionsProbed) {
		return
	}
	probes := []condition{ifNever, ifNone, ifNone, ifNone}
	for n, c := range probes {
		err := b.put(ctx, key, data, c)
		switch {
		case err == nil && c == ifNone && n < len(probes)-1:
		case err == nil, faultOf(err).unsupported():
			b.ignoresConditions(ctx)
			return
		case !errors.Is(err, pipeline.ErrChanged):
			b.conditions.Store(conditionsUnknown) // the next write probes again
			return
		case c == ifNone:
			b.conditions.Store(conditionsHonoured)
			return
		}
	}
}

// ignoresConditions switches to writes without conditions: the record is read just before it is
// written.
func (b *bucket) ignoresConditions(ctx context.Context) {
	if b.conditions.Swap(conditionsIgnored) != conditionsIgnored {
		b.log.WarnContext(ctx, "the store does not honour conditional writes: two workers that write the record of one object at the same instant may leave that of the older version",
			"bucket", b.name)
	}
}

// Delete implements driver.Bucket. A store that does not honour the condition deletes whatever
// is there.
func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()}
	switch {
	case c.Old == nil:
	case b.conditions.Load() != conditionsIgnored:
		in.IfMatch = &c.Old.Tag
	default:
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
	}
	_, err := b.client.DeleteObject(ctx, in)
	if in.IfMatch != nil && faultOf(err).unsupported() {
		in.IfMatch = nil // some stores honour it for writes only
		_, err = b.client.DeleteObject(ctx, in)
	}
	return b.translate(err, permission("s3:DeleteObject", key))
}
