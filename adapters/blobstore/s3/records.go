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

// permission names an action for an error message. For a checkpoint or a report it adds the prefix of keys on which the
// action must be allowed.
func permission(action, key string) string {
	if prefix := driver.Reserved(key); prefix != "" {
		return action + " on " + prefix + "*"
	}
	return action
}

// Get implements driver.Bucket. It takes one request: a GET also returns metadata and ETag.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (*driver.Blob, error) {
	g := &leanGet{lean: b.lean, key: key}
	if blob, err := g.get(ctx, limit); blob != nil || err != nil {
		return blob, b.translate(err, "")
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()}, func(o *s3.Options) { o.HTTPClient = g })
	if faultOf(err).nothing() {
		return nil, b.whatIsGone(ctx, err)
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
//
// Where the store would send an event for a write that it refuses, nothing is written before a look.
func (b *bucket) Put(ctx context.Context, key string, data *driver.Blob, c driver.Condition) error {
	if c.Any {
		return b.put(ctx, key, data, condition{})
	}
	can, err := b.whichConditions(ctx)
	if err != nil {
		return err
	}
	var cond condition
	switch {
	case c.Old != nil:
		cond.ifMatch = can.replace.of(c.Old.Tag)
	case can.create:
		cond = ifNone
	}
	if cond == (condition{}) || can.announces && c.Old == nil {
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
	}
	err = b.put(ctx, key, data, cond)
	switch {
	case err == nil || cond == condition{}:
		return err
	case faultOf(err).unsupported():
		b.learn(ctx, conditions{announces: can.announces})
		if err := driver.Unchanged(ctx, b, key, c); err != nil {
			return err
		}
		return b.put(ctx, key, data, condition{})
	case !errors.Is(err, pipeline.ErrChanged) || c.Unseen:
		return err
	case c.Old != nil:
		b.doubt(ctx, key, c.Old)
	case b.deleted(ctx, key):
		// Some stores treat a delete marker as an object. If this store does, and no other
		// worker was faster, it refuses the second write, too.
		// A refusal because another write is under way says nothing about the marker, and that write
		// must not be overwritten.
		if err = b.put(ctx, key, data, ifNone); errors.Is(err, pipeline.ErrChanged) && !faultOf(err).conflict() && b.deleted(ctx, key) {
			err = b.put(ctx, key, data, condition{})
		}
	}
	return err
}

// doubt has the bucket probed again if it has refused a condition that holds.
func (b *bucket) doubt(ctx context.Context, key string, old *driver.Blob) {
	k := b.known.Load()
	if k == nil {
		return // it is on AWS
	}
	head, err := b.client.HeadObject(ctx, b.headInput(key, customerKey{}))
	if err == nil && driver.TrimETag(aws.ToString(head.ETag)) == driver.TrimETag(old.Tag) {
		b.known.CompareAndSwap(k, &knowledge{conditions: k.conditions})
	}
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

var ifNone = condition{ifNoneMatch: "*"}

// put takes one request. ErrChanged if the condition does not hold.
func (b *bucket) put(ctx context.Context, key string, data *driver.Blob, c condition) error {
	_, err := b.write(ctx, key, data, c)
	return b.explainWrite(err, key, c)
}

// explainWrite turns the error of write into one of the pipeline's classes.
func (b *bucket) explainWrite(err error, key string, c condition) error {
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

// write takes one request, and returns the store's answer as it is.
func (b *bucket) write(ctx context.Context, key string, data *driver.Blob, c condition) (*s3.PutObjectOutput, error) {
	in := b.putInput(key, data)
	if c.ifMatch != "" {
		in.IfMatch = &c.ifMatch
	}
	if c.ifNoneMatch != "" {
		in.IfNoneMatch = &c.ifNoneMatch
	}
	return b.client.PutObject(ctx, in)
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

// Delete implements driver.Bucket. A store that does not honour the condition deletes whatever
// is there.
func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()}
	if c.Old != nil {
		can, err := b.whichConditions(ctx)
		if err != nil {
			return err
		}
		if tag := can.remove.of(c.Old.Tag); tag != "" {
			in.IfMatch = &tag
		} else if err := driver.Unchanged(ctx, b, key, c); err != nil {
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
