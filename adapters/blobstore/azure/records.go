package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

// Get implements driver.Bucket. A lifecycle rule may move a record to the archive together with
// its object.
func (b *bucket) Get(ctx context.Context, key string, limit int64) (*driver.Blob, error) {
	out, err := b.download(ctx, key, "", 0)
	if bloberror.HasCode(err, bloberror.BlobArchived) {
		s, err := b.Stat(ctx, key)
		return &driver.Blob{Metadata: s.Metadata, Tag: s.ETag, Archived: true}, err
	}
	if err != nil {
		return nil, b.translate(err)
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, limit))
	_ = out.Body.Close() // what was read was read
	if err != nil {
		return nil, err
	}
	return &driver.Blob{Data: data, Metadata: metadataOf(out.Metadata), Tag: etagOf(out.ETag)}, nil
}

// etagOf returns an ETag without quotes; empty if there is none.
func etagOf(tag *azcore.ETag) string {
	if tag == nil {
		return ""
	}
	return driver.TrimETag(string(*tag))
}

// Put implements driver.Bucket. Each write creates an ETag, so that the store refuses what
// would undo the work of another process.
func (b *bucket) Put(ctx context.Context, key string, data *driver.Blob, c driver.Condition) error {
	named := make(map[string]*string, len(data.Metadata))
	for k, v := range driver.EscapeMetadata(data.Metadata) {
		named[strings.ReplaceAll(k, "-", "_")] = &v // names of metadata are identifiers
	}
	_, err := b.client.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(data.Data)), &blockblob.UploadOptions{
		Metadata:         named,
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &data.ContentType},
		AccessConditions: conditions(c),
	})
	err = b.translate(err)
	if c.Old != nil && errors.Is(err, pipeline.ErrNotFound) {
		return fmt.Errorf("%w: what was there is gone (%w)", pipeline.ErrChanged, err)
	}
	return err
}

func conditions(c driver.Condition) *blob.AccessConditions {
	switch {
	case c.Any:
		return nil
	case c.Old != nil:
		return ifMatch(c.Old.Tag)
	}
	anything := azcore.ETagAny
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anything}}
}

// metadataOf is the inverse of what Put does to metadata. HTTP does not keep the case of names.
func metadataOf(named map[string]*string) map[string]string {
	metadata := make(map[string]string, len(named))
	for k, v := range named {
		if v != nil {
			metadata[strings.ReplaceAll(strings.ToLower(k), "_", "-")] = *v
		}
	}
	return driver.UnescapeMetadata(metadata)
}

func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	_, err := b.client.NewBlobClient(key).Delete(ctx, &blob.DeleteOptions{AccessConditions: conditions(c)})
	return b.translate(err)
}
