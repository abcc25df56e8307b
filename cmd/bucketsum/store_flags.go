package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// storeFlags are the flags about buckets and their records.
type storeFlags struct {
	records blobstore.RecordOptions
	s3      s3Flags

	tags []string
}

// s3Flags are the flags about reading objects on S3.
type s3Flags struct {
	s3.Options
	keyFile string
}

func (c *s3Flags) define(fs *pflag.FlagSet) {
	fs.BoolVar(&c.RequesterPays, "requester-pays", false, "pay for requests to requester-pays buckets")
	fs.StringVar(&c.keyFile, "sse-c-key-file", "", "file with the key of objects that are encrypted with SSE-C: 32 bytes, raw or in base64")
}

// validate reads the key file.
func (c *s3Flags) validate() error {
	if c.keyFile == "" {
		return nil
	}
	key, err := s3.ReadCustomerKey(c.keyFile)
	if err != nil {
		return fmt.Errorf("--sse-c-key-file: %w", err)
	}
	c.CustomerKey = key
	return nil
}

func (c *storeFlags) define(fs *pflag.FlagSet) {
	fs.StringSliceVar(&c.records.To, "record-to", []string{blobstore.ToSidecar}, "where records are kept: sidecar (an object for each record), tags (of the object itself, on S3), or both")
	fs.StringVar(&c.records.Bucket, "record-bucket", "", "URL of another bucket for the records, with a folder for each bucket; without it they are beside the objects")
	fs.StringVar(&c.records.KMSKey, "record-kms-key", "", "id or ARN of the KMS key that encrypts records on S3")
	fs.StringVar(&c.records.StorageClass, "record-storage-class", "", "storage class of records on S3, for example STANDARD_IA")
	fs.StringArrayVar(&c.tags, "record-tag", nil, "NAME=VALUE tag of records on S3; may be repeated, at most ten times")
	c.s3.define(fs)
}

// validate reads the key file and returns all mistakes.
func (c *storeFlags) validate(buckets []app.BucketURL) error {
	var faults []error
	for _, form := range c.records.To {
		if form != blobstore.ToSidecar && form != blobstore.ToTags {
			faults = append(faults, fmt.Errorf("--record-to: %w", suggest.Unknown("value", form, []string{blobstore.ToSidecar, blobstore.ToTags})))
		}
	}
	if c.records.Bucket != "" {
		faults = append(faults, checkBucket("--record-bucket", c.records.Bucket))
		for _, b := range buckets {
			if bucketDrivers(c.s3.Options).Same(b.URL, c.records.Bucket) {
				faults = append(faults, fmt.Errorf("--record-bucket is also the --bucket %s, so that records would be objects to sum", b.Name))
			}
		}
	}
	for _, tag := range c.tags {
		name, value, ok := strings.Cut(tag, "=")
		if !ok || name == "" {
			faults = append(faults, fmt.Errorf("--record-tag: %q is not NAME=VALUE", tag))
			continue
		}
		if c.records.Tags == nil {
			c.records.Tags = make(map[string]string)
		}
		c.records.Tags[name] = value
	}
	if len(c.records.Tags) > 10 {
		faults = append(faults, fmt.Errorf("--record-tag: S3 allows 10 tags, not %d", len(c.records.Tags)))
	}
	return errors.Join(append(faults, c.s3.validate())...)
}
