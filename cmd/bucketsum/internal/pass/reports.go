package pass

import (
	"context"
	"fmt"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
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
