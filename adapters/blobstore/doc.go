// Package blobstore reads objects and keeps their records in the buckets that
// gocloud.dev/blob can open by URL (file://, mem://, …).
//
// A record is a sidecar object for each algorithm, holding one line as
// md5sum and its relatives print it, so that "md5sum -c" works after a download.
// What else a record must know (the version that was read, that bucketsum wrote
// it) is the sidecar's metadata or, in a folder of files that knows no metadata,
// lies out of sight under .bucketsum.
//
// What bucketsum did not write is never overwritten and never removed.
//
// The version of a file is its modification time and size, as gocloud's
// fileblob has it: a rewrite that restores both is not seen.
package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"syscall"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config says how records are kept. The zero value is the default.
type Config struct {
	Layout     Layout
	Algorithms []string // those that records hold; default md5
}

// Store is an open bucket: a source of objects and the keeper of their records.
type Store struct {
	name    string
	bucket  *blob.Bucket
	folder  *folder // nil unless the bucket is a folder of files
	records *records
}

// Open opens the bucket that the URL names; events call it name.
func Open(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("bucket URL: %w", err)
	}
	if u.Scheme == "file" {
		return openFolder(u, name, c)
	}
	if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return nil, fmt.Errorf("bucket URL %q: unknown scheme %q; valid are %s",
			u.Redacted(), u.Scheme, strings.Join(blob.DefaultURLMux().BucketSchemes(), ", "))
	}
	bucket, err := blob.OpenBucket(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return New(bucket, name, c), nil
}

// New makes a store of a bucket that is open already and can keep metadata. It
// closes the bucket when it is closed itself.
func New(bucket *blob.Bucket, name string, c Config) *Store {
	return &Store{name: name, bucket: bucket, records: newRecords(c, &objects{bucket})}
}

// NameOf returns the name that events have for the bucket of a URL: the host,
// or the last element of the path for a folder.
func NameOf(u *url.URL) string {
	if u.Scheme == "file" {
		return path.Base(u.Path)
	}
	return u.Host
}

// Bucket returns the store as the ports of the pipeline.
func (s *Store) Bucket() pipeline.Bucket {
	return pipeline.Bucket{Source: s, Records: s.records}
}

// Close closes the bucket.
func (s *Store) Close() error {
	if s.folder != nil {
		return errors.Join(s.bucket.Close(), s.folder.root.Close())
	}
	return s.bucket.Close()
}

// translate turns a driver's error into one of the pipeline's classes, by code.
func translate(err error) error {
	if err == nil {
		return nil
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case gcerrors.FailedPrecondition:
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return pipeline.Permanent(err)
	}
	return err
}
