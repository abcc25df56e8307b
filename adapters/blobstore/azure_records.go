package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// lock excludes this process only; others are kept off by conditions.
func (b *azureBucket) lock(ctx context.Context, key string) (func(), error) {
	return b.locks.lock(ctx, key)
}

func (b *azureBucket) local() bool { return false }

func (b *azureBucket) reserved(key string) bool { return isCheckpoint(key) }

func azureRecordFault(key string) error {
	if n := utf8.RuneCountInString(key); n > azureKeyLimit {
		return pipeline.Permanent(fmt.Errorf("its key would be longer (%d characters) than Azure allows (%d): %w", n, azureKeyLimit, syscall.ENAMETOOLONG))
	}
	return nil
}

func (b *azureBucket) read(ctx context.Context, key string) (*sidecar, error) {
	if err := azureRecordFault(key); err != nil {
		return nil, err
	}
	out, err := b.download(ctx, key, "", 0)
	if bloberror.HasCode(err, bloberror.BlobArchived) {
		return b.readArchived(ctx, key)
	}
	if err != nil {
		return nil, b.translate(err)
	}
	line, err := io.ReadAll(io.LimitReader(out.Body, sidecarLimit))
	_ = out.Body.Close() // what was read was read
	if err != nil {
		return nil, err
	}
	return &sidecar{line: string(line), metadata: azureMetadata(out.Metadata), etag: azureETag(out.ETag)}, nil
}

// readArchived reads what can be read of a sidecar that a lifecycle rule took to
// the archive together with its object.
func (b *azureBucket) readArchived(ctx context.Context, key string) (*sidecar, error) {
	out, err := b.client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return nil, b.translate(err)
	}
	return &sidecar{metadata: azureMetadata(out.Metadata), etag: azureETag(out.ETag), archived: true}, nil
}

// azureETag returns an ETag without quotes; empty if there is none.
func azureETag(tag *azcore.ETag) string {
	if tag == nil {
		return ""
	}
	return trimETag(string(*tag))
}

func (b *azureBucket) create(ctx context.Context, key string, s *sidecar) error {
	return b.write(ctx, key, s, nil)
}

// write makes the store refuse what would undo the work of another process. Each
// write has an ETag of its own, so that no two records look the same.
func (b *azureBucket) write(ctx context.Context, key string, s, old *sidecar) error {
	if err := azureRecordFault(key); err != nil {
		return err
	}
	anything := azcore.ETagAny
	cond := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anything}}
	if old != nil {
		cond = azureIfMatch(old.etag)
	}
	err := b.put(ctx, key, []byte(s.line), "text/plain; charset=utf-8", s.metadata, cond)
	if old != nil && errors.Is(err, pipeline.ErrNotFound) {
		return fmt.Errorf("%w: what was there is gone (%w)", pipeline.ErrChanged, err)
	}
	return err
}

func (b *azureBucket) put(ctx context.Context, key string, data []byte, contentType string, metadata map[string]string, cond *blob.AccessConditions) error {
	named := make(map[string]*string, len(metadata))
	for k, v := range escapeMetadata(metadata) {
		named[strings.ReplaceAll(k, "-", "_")] = &v // names there are identifiers
	}
	_, err := b.client.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		Metadata:         named,
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions: cond,
	})
	return b.translate(err)
}

// azureMetadata is the inverse of what put does to metadata. The case of names is
// not kept by HTTP.
func azureMetadata(named map[string]*string) map[string]string {
	metadata := make(map[string]string, len(named))
	for k, v := range named {
		if v != nil {
			metadata[strings.ReplaceAll(strings.ToLower(k), "_", "-")] = *v
		}
	}
	return unescapeMetadata(metadata)
}

func (b *azureBucket) remove(ctx context.Context, key string, old *sidecar) error {
	if old == nil {
		return nil
	}
	_, err := b.client.NewBlobClient(key).Delete(ctx, &blob.DeleteOptions{AccessConditions: azureIfMatch(old.etag)})
	return b.translate(err)
}

func (b *azureBucket) readBlob(ctx context.Context, key string) ([]byte, error) {
	out, err := b.download(ctx, key, "", 0)
	if err != nil {
		var answer *azcore.ResponseError
		denied := errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
		if err = b.translate(err); denied {
			err = pipeline.Permanent(err) // see s3Bucket.readBlob
		}
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, checkpointLimit))
	_ = out.Body.Close() // what was read was read
	return data, err
}

func (b *azureBucket) writeBlob(ctx context.Context, key string, data []byte) error {
	return b.put(ctx, key, data, "application/octet-stream", nil, nil)
}

func (b *azureBucket) deleteBlob(ctx context.Context, key string) error {
	_, err := b.client.NewBlobClient(key).Delete(ctx, nil)
	return b.translate(err)
}
