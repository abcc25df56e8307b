package blobstore

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

const (
	// reportLimit is the most that a plan or a report may have, in bytes.
	reportLimit = sweep.MaxObject
	// reportName is the longest name. A key on S3 has 1,024 bytes.
	reportName = 900
)

// Reports implements sweep.Reports in a bucket, below .bucketsum/passes/. Its methods are safe for concurrent
// use, except Close.
//
// Put is conditional. A store without conditional writes is asked just before the write: of two
// processes that write one report at the same instant, the later one may then replace the first one's.
type Reports struct {
	bucket driver.Bucket
}

var _ sweep.Reports = (*Reports)(nil)

// OpenReports opens the bucket of a URL as the place of plans and reports. Errors: see Open. Of the configuration, it uses
// Log.
func (d Drivers) OpenReports(ctx context.Context, rawURL string, c Config) (*Reports, error) {
	c.Records = RecordOptions{}
	b, err := d.open(ctx, rawURL, "of reports", c)
	if err != nil {
		return nil, openFault(err)
	}
	return &Reports{b}, nil
}

// Put implements sweep.Reports.
func (r *Reports) Put(ctx context.Context, name string, data []byte) error {
	err := r.put(ctx, name, data)
	if err != nil {
		return fmt.Errorf("write the report %q: %w", name, readable.Error(err))
	}
	return nil
}

func (r *Reports) put(ctx context.Context, name string, data []byte) error {
	if err := checkReport(name); err != nil {
		return err
	}
	if len(data) > reportLimit {
		return pipeline.Permanent(fmt.Errorf("it has %d bytes, more than %d", len(data), reportLimit))
	}
	key := driver.Passes + name
	unlock, err := r.bucket.Lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	return r.bucket.Put(ctx, key, &driver.Blob{Data: data, ContentType: "application/octet-stream"}, driver.Condition{})
}

// Get implements sweep.Reports.
func (r *Reports) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := r.get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the report %q: %w", name, readable.Error(err))
	}
	return data, nil
}

func (r *Reports) get(ctx context.Context, name string) ([]byte, error) {
	if err := checkReport(name); err != nil {
		return nil, err
	}
	b, err := r.bucket.Get(ctx, driver.Passes+name, reportLimit+1)
	switch {
	case err != nil:
		return nil, err
	case b.Archived:
		return nil, pipeline.Permanent(fmt.Errorf("it was moved to the archive: restore it, and let no lifecycle rule move what is below %s", driver.Passes))
	case len(b.Data) > reportLimit:
		return nil, pipeline.Permanent(fmt.Errorf("it has more than %d bytes: bucketsum did not write it", reportLimit))
	}
	return b.Data, nil
}

// Names implements sweep.Reports.
func (r *Reports) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range r.bucket.List(ctx, driver.Listing{Prefix: driver.Passes + prefix, KeysOnly: true}) {
			name := strings.TrimPrefix(e.Key, driver.Passes)
			if err == nil && checkReport(name) != nil {
				continue // bucketsum did not write it
			}
			if err != nil {
				err = fmt.Errorf("list the reports %q: %w", prefix, readable.Error(err))
			}
			if !yield(name, err) {
				return
			}
		}
	}
}

// Beside returns the bucket of the reports for the objects that lie beside them, until Close.
func (r *Reports) Beside(c Config) *Store { return New(r.bucket, "of reports", c) }

// Close closes the bucket.
func (r *Reports) Close() error { return r.bucket.Close() }

// checkReport explains why no report can have a name; nil if one can.
func checkReport(name string) error {
	odd := func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_./", c) }
	if name == "" || len(name) > reportName || strings.ContainsFunc(name, odd) || strings.Contains("/"+name+"/", "//") || strings.Contains("/"+name, "/.") {
		return pipeline.Permanent(fmt.Errorf("%.100q is not a name that a report can have", name))
	}
	return nil
}
