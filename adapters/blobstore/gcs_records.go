package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/api/googleapi"
	gcs "google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/pipeline"
)

// lock excludes this process only; others are kept off by generations.
func (b *gcsBucket) lock(ctx context.Context, key string) (func(), error) {
	return b.locks.lock(ctx, key)
}

func (b *gcsBucket) local() bool { return false }

func (b *gcsBucket) reserved(key string) bool { return isCheckpoint(key) }

func gcsRecordFault(key string) error {
	if len(key) > gcsKeyLimit {
		return pipeline.Permanent(fmt.Errorf("its key would be longer (%d bytes) than Google Cloud Storage allows (%d): %w", len(key), gcsKeyLimit, syscall.ENAMETOOLONG))
	}
	return nil
}

// read takes the metadata and then the line of one generation.
func (b *gcsBucket) read(ctx context.Context, key string) (*sidecar, error) {
	if err := gcsRecordFault(key); err != nil {
		return nil, err
	}
	var gone error
	for range 8 { // each time somebody replaced it in between
		o, err := b.object(ctx, key, 0)
		if err != nil {
			return nil, err
		}
		line, err := b.line(ctx, key, o)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			gone = err
		case err != nil:
			return nil, err
		default:
			return &sidecar{line: line, metadata: o.Metadata, etag: strconv.FormatInt(o.Generation, 10)}, nil
		}
	}
	return nil, fmt.Errorf("others write %q all the time: %v", key, gone) // it is not gone
}

// line returns what a generation of a sidecar holds.
func (b *gcsBucket) line(ctx context.Context, key string, o *gcs.Object) (string, error) {
	if o.Size == 0 {
		return "", nil
	}
	body, err := b.media(ctx, key, o.Generation, 0)
	if err != nil {
		return "", err
	}
	line, err := io.ReadAll(io.LimitReader(body, sidecarLimit))
	_ = body.Close() // what was read was read
	return string(line), err
}

func (b *gcsBucket) create(ctx context.Context, key string, s *sidecar) error {
	return b.write(ctx, key, s, nil)
}

// write makes the store refuse what would undo the work of another process. Each
// write has a generation of its own, so that no two records look the same.
func (b *gcsBucket) write(ctx context.Context, key string, s, old *sidecar) error {
	if err := gcsRecordFault(key); err != nil {
		return err
	}
	generation, err := old.generation()
	if err != nil {
		return err
	}
	return b.put(ctx, key, s.line, "text/plain; charset=utf-8", s.metadata, &generation)
}

// generation returns that of a sidecar; 0 if there was none.
func (s *sidecar) generation() (int64, error) {
	if s == nil {
		return 0, nil
	}
	return strconv.ParseInt(s.etag, 10, 64)
}

// put writes an object, if generation is not nil only over that one; 0: over nothing.
func (b *gcsBucket) put(ctx context.Context, key, data, contentType string, metadata map[string]string, generation *int64) error {
	// Some answers carry metadata in headers, which hold printable ASCII only.
	o := &gcs.Object{Name: key, ContentType: contentType, Metadata: escapeMetadata(metadata)}
	call := b.api.Objects.Insert(b.name, o).
		Media(strings.NewReader(data), googleapi.ContentType(contentType), googleapi.ChunkSize(0)).Context(ctx)
	if generation != nil {
		call.IfGenerationMatch(*generation)
	}
	_, err := call.Do()
	if gcsStatus(err) == http.StatusNotFound && generation != nil && *generation != 0 {
		return fmt.Errorf("%w: what was there is gone (%w)", pipeline.ErrChanged, err)
	}
	return plainly(b.translate(err, "storage.objects.create, and storage.objects.delete to replace"), err)
}

func (b *gcsBucket) remove(ctx context.Context, key string, old *sidecar) error {
	if old == nil {
		return nil
	}
	generation, err := old.generation()
	if err != nil {
		return err
	}
	err = b.api.Objects.Delete(b.name, key).IfGenerationMatch(generation).Context(ctx).Do()
	return b.translate(err, "storage.objects.delete")
}

func (b *gcsBucket) readBlob(ctx context.Context, key string) ([]byte, error) {
	o, err := b.object(ctx, key, 0)
	if gcsStatus(err) == http.StatusForbidden {
		return nil, pipeline.Permanent(err) // see s3Bucket.readBlob
	}
	if err != nil {
		return nil, err
	}
	body, err := b.media(ctx, key, o.Generation, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, checkpointLimit))
	_ = body.Close() // what was read was read
	return data, err
}

func (b *gcsBucket) writeBlob(ctx context.Context, key string, data []byte) error {
	return b.put(ctx, key, string(data), "application/octet-stream", nil, nil)
}

func (b *gcsBucket) deleteBlob(ctx context.Context, key string) error {
	return b.translate(b.api.Objects.Delete(b.name, key).Context(ctx).Do(), "storage.objects.delete")
}
