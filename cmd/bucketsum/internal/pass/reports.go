package pass

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// openReports opens the place of reports.
func (p *Pass) openReports(ctx context.Context) error {
	if p.config.Reports == "" {
		return nil
	}
	r, err := p.config.BucketDrivers.OpenReports(ctx, p.config.Reports, blobstore.Config{Log: p.config.Log})
	if err != nil {
		return fmt.Errorf("--reports: %w", err)
	}
	p.reports = r
	p.closes = append(p.closes, r.Close)
	return nil
}

// places says, for each bucket, where it and its records are. Reports are by the names of buckets, which folders in
// different places share.
func (c Config) places() map[string]string {
	records := c.BucketConfig.Records
	forms := slices.Sorted(slices.Values(records.To))
	all := make(map[string]string)
	for _, b := range c.Buckets {
		all[b.Name] = fmt.Sprintf("%s records: %s %s", cloudevents.SourceOf(b.Name, b.URL), strings.Join(forms, ","), c.BucketConfig.Layout)
		if records.Bucket != "" {
			all[b.Name] += " in " + cloudevents.SourceOf("", records.Bucket)
		}
	}
	return all
}
