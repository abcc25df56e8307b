package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// checkpointLimit is the most that is read of a checkpoint, in bytes. Checkpoints are far
// smaller.
const checkpointLimit = 256 << 10

// isReserved reports whether a key is that of a checkpoint or of a report, so that none becomes
// work.
func isReserved(key string) bool { return driver.Reserved(key) != "" }

// SweepCheckpoints deletes checkpoints that were written before a time, most at most. It
// returns how many. Work in progress writes its checkpoint again every few minutes; without
// its checkpoint, an object is read from its beginning. So it needs no look at the object.
func (s *Store) SweepCheckpoints(ctx context.Context, before time.Time, most int) (deleted int, err error) {
	keeper := s.keeper
	for e, err := range keeper.List(ctx, driver.Listing{Prefix: driver.Checkpoints, KeysOnly: true}) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return deleted, nil // a folder without checkpoints
		case err != nil:
			return deleted, fmt.Errorf("list the checkpoints of bucket %s: %w", s.name, err)
		case e.Modified.IsZero() || !e.Modified.Before(before):
			continue
		case deleted == most:
			return deleted, nil
		}
		err = keeper.Delete(ctx, e.Key, driver.Condition{Any: true})
		if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
			return deleted, fmt.Errorf("delete the checkpoint %s of bucket %s: %w", e.Key, s.name, err)
		}
		deleted++
	}
	return deleted, nil
}

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
