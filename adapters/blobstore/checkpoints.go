package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// checkpointLimit is the most that is read of a checkpoint, in bytes. Checkpoints are far
// smaller.
const checkpointLimit = 256 << 10

// isCheckpoint reports whether a key is that of a checkpoint, so that no checkpoint becomes
// work.
func isCheckpoint(key string) bool { return strings.HasPrefix(key, driver.Checkpoints) }

// checkpoints implements pipeline.Checkpoints in the bucket that has the records.
type checkpoints struct {
	bucket driver.Bucket
	mode   modes // of the objects
}

// checkpointKey returns where the checkpoint of an object is. It is a hash, as a key may
// be too long, and several buckets may keep their records in one.
func checkpointKey(o pipeline.Object) string {
	return driver.Checkpoints + hashOf(o.Bucket+"\x00"+o.Key)
}

func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// Load implements pipeline.Checkpoints. Where access is denied the error is Permanent: without
// a checkpoint an object is read from its beginning, and where checkpoints are never allowed
// no worker must wait without limit.
func (c checkpoints) Load(ctx context.Context, o pipeline.Object) ([]byte, error) {
	b, err := c.bucket.Get(ctx, checkpointKey(o), checkpointLimit)
	switch {
	case driver.IsDenied(err):
		err = pipeline.Permanent(err)
	case err == nil && len(b.Data) == 0:
		err = pipeline.Permanent(errors.New("what is there is not a checkpoint"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of %s: %w", printable(o), err)
	}
	return b.Data, nil
}

func (c checkpoints) Save(ctx context.Context, o pipeline.Object, state []byte) error {
	if len(state) > checkpointLimit {
		return pipeline.Permanent(fmt.Errorf("write the checkpoint of %s: it has %d bytes, more than %d", printable(o), len(state), checkpointLimit))
	}
	b := &driver.Blob{Data: state, ContentType: "application/octet-stream", Mode: c.mode.of(o.Key)}
	if err := c.bucket.Put(ctx, checkpointKey(o), b, driver.Condition{Any: true}); err != nil {
		return fmt.Errorf("write the checkpoint of %s: %w", printable(o), err)
	}
	return nil
}

func (c checkpoints) Delete(ctx context.Context, o pipeline.Object) error {
	err := c.bucket.Delete(ctx, checkpointKey(o), driver.Condition{Any: true})
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return fmt.Errorf("delete the checkpoint of %s: %w", printable(o), err)
	}
	return nil
}
