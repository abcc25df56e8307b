package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// getAttempts is how often a blob is read again that was replaced between the two requests.
const getAttempts = 8

// Get implements driver.Bucket. It asks for the metadata and then for the data of one generation.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (*driver.Blob, error) {
	var gone error
	for range getAttempts {
		o, err := b.object(ctx, key, 0)
		if err != nil {
			return nil, err
		}
		data, err := b.data(ctx, key, o, limit)
		switch {
		case errors.Is(err, pipeline.ErrNotFound):
			gone = err
		case err != nil:
			return nil, err
		default:
			return &driver.Blob{Data: data, Metadata: o.Metadata, Tag: strconv.FormatInt(o.Generation, 10)}, nil
		}
	}
	return nil, fmt.Errorf("other processes write %q all the time: %v", key, gone) // not ErrNotFound: the blob exists
}

// data returns the content of a generation.
func (b *bucket) data(ctx context.Context, key string, o *storage.Object, limit int64) ([]byte, error) {
	if o.Size == 0 {
		return nil, nil
	}
	body, err := b.media(ctx, key, o.Generation, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit))
	_ = body.Close() // what was read was read
	return data, err
}

// generation returns the generation that a blob may replace; 0: the blob must not exist.
func generation(c driver.Condition) int64 {
	if c.Old == nil {
		return 0
	}
	n, _ := strconv.ParseInt(c.Old.Tag, 10, 64) // Get wrote it
	return n
}

// Put implements driver.Bucket. Each write creates a generation, so that the store refuses what
// would undo the work of another process.
func (b *bucket) Put(ctx context.Context, key string, data *driver.Blob, c driver.Condition) error {
	// Some answers carry metadata in headers, which hold printable ASCII only.
	o := &storage.Object{Name: key, ContentType: data.ContentType, Metadata: driver.EscapeMetadata(data.Metadata)}
	call := b.api.Objects.Insert(b.name, o).
		Media(bytes.NewReader(data.Data), googleapi.ContentType(data.ContentType), googleapi.ChunkSize(0)).Context(ctx)
	if !c.Any {
		call.IfGenerationMatch(generation(c))
	}
	_, err := call.Do()
	if statusOf(err) == http.StatusNotFound && c.Old != nil {
		return fmt.Errorf("%w: what was there is gone (%w)", pipeline.ErrChanged, err)
	}
	return plainly(b.translate(err, "storage.objects.create, and storage.objects.delete to replace"), err)
}

func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	call := b.api.Objects.Delete(b.name, key).Context(ctx)
	if !c.Any {
		call.IfGenerationMatch(generation(c))
	}
	return b.translate(call.Do(), "storage.objects.delete")
}
