package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	// checkpointDir is where checkpoints are, in the bucket that has the records.
	checkpointDir = ".bucketsum/checkpoints/"
	// checkpointLimit is the most that is read of one, in bytes; they are far smaller.
	checkpointLimit = 256 << 10
)

// isCheckpoint reports whether a key is that of a checkpoint, so that none becomes
// work.
func isCheckpoint(key string) bool { return strings.HasPrefix(key, checkpointDir) }

// blobs is where checkpoints are kept. Its methods are safe for concurrent use.
type blobs interface {
	// readBlob returns at most checkpointLimit bytes. ErrNotFound if there is nothing.
	readBlob(ctx context.Context, key string) ([]byte, error)
	// writeBlob replaces all of what is there, or nothing of it.
	writeBlob(ctx context.Context, key string, data []byte) error
	// deleteBlob returns nil if there was nothing.
	deleteBlob(ctx context.Context, key string) error
}

// checkpoints implements pipeline.Checkpoints.
type checkpoints struct{ blobs blobs }

// checkpoints returns where the store's bucket has its checkpoints; nil if it has
// no place for them.
func (s *Store) checkpoints() pipeline.Checkpoints {
	keeper := s
	if s.keeper != nil {
		keeper = s.keeper
	}
	var where any = keeper.contents
	if keeper.folder != nil {
		where = keeper.folder.files
	}
	b, ok := where.(blobs)
	if !ok {
		return nil
	}
	return checkpoints{b}
}

// checkpointKey returns where the checkpoint of an object is. A hash, as a key may
// be too long, and of several buckets that keep their records in one.
func checkpointKey(o pipeline.Object) string {
	return checkpointDir + hash(o.Bucket+"\x00"+o.Key)
}

// Load implements pipeline.Checkpoints.
func (c checkpoints) Load(ctx context.Context, o pipeline.Object) ([]byte, error) {
	data, err := c.blobs.readBlob(ctx, checkpointKey(o))
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of %s: %w", printable(o), err)
	}
	return data, nil
}

// Save implements pipeline.Checkpoints.
func (c checkpoints) Save(ctx context.Context, o pipeline.Object, state []byte) error {
	if len(state) > checkpointLimit {
		return pipeline.Permanent(fmt.Errorf("write the checkpoint of %s: it has %d bytes, more than %d", printable(o), len(state), checkpointLimit))
	}
	if err := c.blobs.writeBlob(ctx, checkpointKey(o), state); err != nil {
		return fmt.Errorf("write the checkpoint of %s: %w", printable(o), err)
	}
	return nil
}

// Delete implements pipeline.Checkpoints.
func (c checkpoints) Delete(ctx context.Context, o pipeline.Object) error {
	err := c.blobs.deleteBlob(ctx, checkpointKey(o))
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return fmt.Errorf("delete the checkpoint of %s: %w", printable(o), err)
	}
	return nil
}

func (f *files) readBlob(_ context.Context, key string) ([]byte, error) {
	name := filepath.FromSlash(key)
	if info, err := f.root.Lstat(name); err != nil {
		return nil, translate(err)
	} else if !info.Mode().IsRegular() {
		return nil, pipeline.Permanent(errIrregular)
	}
	file, _, err := openFile(f.root, name)
	if err != nil {
		return nil, translate(err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, checkpointLimit))
}

func (f *files) writeBlob(_ context.Context, key string, data []byte) error {
	return f.put(filepath.FromSlash(key), data, f.root.Rename)
}

func (f *files) deleteBlob(_ context.Context, key string) error {
	if err := f.root.Remove(filepath.FromSlash(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b *objects) readBlob(ctx context.Context, key string) ([]byte, error) {
	r, err := b.bucket.NewRangeReader(ctx, key, 0, checkpointLimit, nil)
	if err != nil {
		return nil, translate(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, translate(err)
	}
	return data, nil
}

func (b *objects) writeBlob(ctx context.Context, key string, data []byte) error {
	return b.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: "application/octet-stream"})
}

func (b *objects) deleteBlob(ctx context.Context, key string) error {
	return translate(b.bucket.Delete(ctx, key))
}

// readBlob returns a Permanent error where access is denied: without a checkpoint
// an object is read from its beginning, and whoever never allows checkpoints is not
// to wait forever.
func (b *s3Bucket) readBlob(ctx context.Context, key string) ([]byte, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	if err != nil {
		denied := s3FaultOf(err).status == http.StatusForbidden && !b.stale(s3FaultOf(err))
		if err = b.translate(err, "s3:GetObject on "+checkpointDir+"*"); denied {
			err = pipeline.Permanent(err)
		}
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, checkpointLimit))
	_ = out.Body.Close() // what was read was read
	return data, b.translate(err, "s3:GetObject")
}

func (b *s3Bucket) writeBlob(ctx context.Context, key string, data []byte) error {
	in := b.putInput(key, "", nil)
	in.Body = bytes.NewReader(data)
	in.ContentType = aws.String("application/octet-stream")
	in.StorageClass = "" // it does not live as long as a cheaper class bills
	_, err := b.client.PutObject(ctx, in)
	return b.translate(err, "s3:PutObject on "+checkpointDir+"*")
}

func (b *s3Bucket) deleteBlob(ctx context.Context, key string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, RequestPayer: b.payer()})
	return b.translate(err, "s3:DeleteObject on "+checkpointDir+"*")
}
