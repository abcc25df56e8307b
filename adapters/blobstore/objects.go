package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// sidecarLimit is how many bytes of a record are read at most. A line is a few
// hundred; what is longer was not written by bucketsum.
const sidecarLimit = 64 << 10

// objects stores sidecars as objects with metadata.
type objects struct{ bucket *blob.Bucket }

func (b *objects) read(ctx context.Context, key string) (*sidecar, error) {
	attrs, err := b.bucket.Attributes(ctx, key)
	if err != nil {
		return nil, translate(err)
	}
	r, err := b.bucket.NewRangeReader(ctx, key, 0, sidecarLimit, nil)
	if err != nil {
		return nil, translate(err)
	}
	line, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, translate(err)
	}
	return &sidecar{line: string(line), metadata: attrs.Metadata}, nil
}

func (b *objects) write(ctx context.Context, key string, s, old *sidecar) error {
	options := &blob.WriterOptions{
		ContentType: "text/plain; charset=utf-8",
		Metadata:    s.metadata,
		IfNotExist:  old == nil,
	}
	return translate(b.bucket.WriteAll(ctx, key, []byte(s.line), options))
}

func (b *objects) remove(ctx context.Context, key string, _ *sidecar) error {
	if err := translate(b.bucket.Delete(ctx, key)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

func (b *objects) reserved(string) bool { return false }

var (
	_ sidecars          = (*objects)(nil)
	_ pipeline.Source   = (*Store)(nil)
	_ pipeline.Recorder = (*records)(nil)
)
