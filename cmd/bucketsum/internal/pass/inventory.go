package pass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Inventory says which list of objects takes the place of a listing.
type Inventory struct {
	Name  string    // a path, the URL of an object, or - for Stdin; empty: buckets are listed
	Null  bool      // the keys of a list end with NUL
	Stdin io.Reader // it is copied to a temporary file
}

// inventoried is an open inventory.
type inventoried struct {
	*inventory.Inventory
	gone atomic.Int64 // objects without a row
}

func (c Config) validateInventory() error {
	var faults []error
	i := c.Inventory
	if i.Name == "" {
		if i.Null {
			faults = append(faults, errors.New("--null: it is about the keys of --inventory, which is missing"))
		}
		return errors.Join(faults...)
	}
	if len(c.Buckets) > 1 {
		faults = append(faults, errors.New("--inventory: an inventory is of one bucket: name only that one"))
	}
	if _, _, err := c.splitInventory(); err != nil {
		faults = append(faults, fmt.Errorf("--inventory: %w", err))
	} else if c.Queue != "" {
		faults = append(faults, c.validateForWorkers())
	}
	return errors.Join(faults...)
}

// validateForWorkers returns why workers cannot read the inventory.
func (c Config) validateForWorkers() error {
	if !strings.Contains(c.Inventory.Name, "://") {
		return errors.New("--inventory: the workers of --queue read it themselves: upload it to the bucket of --reports, and name its URL")
	}
	if inReports, inBucket := c.inventoryIn(); redact.Scheme(c.Inventory.Name) == "file" && inReports == "" && inBucket == "" {
		return errors.New("--inventory: the workers of --queue read it themselves: put it into the folder of --reports or that of the bucket, and name its file:// URL there")
	}
	return nil
}

// inventoryIn returns the key of the inventory in the bucket of reports, or in that of the pass, if it lies there.
func (c Config) inventoryIn() (reports, bucket string) {
	reports, _ = c.BucketDrivers.KeyIn(c.Reports, c.Inventory.Name)
	if len(c.Buckets) > 0 {
		bucket, _ = c.BucketDrivers.KeyIn(c.Buckets[0].URL, c.Inventory.Name)
	}
	return reports, bucket
}

// inventoryAt says where workers find the inventory; nil: they cannot read it.
func (c Config) inventoryAt() *sweep.InventoryAt {
	if c.Inventory.Name == "" || c.Inventory.Name == "-" || c.validateForWorkers() != nil {
		return nil
	}
	return &sweep.InventoryAt{URL: cloudevents.SourceOf("", c.Inventory.Name), Null: c.Inventory.Null}
}

// splitInventory returns the URL of the bucket with the inventory, and its key there. The bucket is empty for a file.
func (c Config) splitInventory() (bucket, name string, err error) {
	if !strings.Contains(c.Inventory.Name, "://") {
		return "", c.Inventory.Name, nil
	}
	u, err := redact.Parse(c.Inventory.Name)
	switch {
	case err != nil:
		return "", "", err
	case !slices.Contains(c.BucketDrivers.Schemes(), u.Scheme):
		return "", "", suggest.Unknown("scheme", u.Scheme, c.BucketDrivers.Schemes())
	case u.Scheme == "file" && u.Host == "":
		return "", filepath.FromSlash(u.Path), nil
	}
	key := strings.TrimPrefix(u.Path, "/")
	if key == "" || u.Host == "" || u.Fragment != "" {
		return "", "", fmt.Errorf("%s is not the URL of an object, as s3://BUCKET/KEY is", redact.URL(c.Inventory.Name))
	}
	u.Path, u.RawPath = "", ""
	return u.String(), key, nil
}

// openInventory opens the list of the objects of the bucket.
func (p *Pass) openInventory(ctx context.Context) error {
	if p.config.Inventory.Name == "" {
		return nil
	}
	for name, store := range p.stores { // only one
		v, err := p.openList(ctx, name, store)
		if err != nil {
			return fmt.Errorf("--inventory: %w", err)
		}
		p.inventory = &inventoried{Inventory: v}
		p.closes = append(p.closes, v.Close)
		p.config.Options.Inventory = v.ID()
	}
	return nil
}

func (p *Pass) openList(ctx context.Context, name string, store *blobstore.Store) (*inventory.Inventory, error) {
	bucket, path, err := p.config.splitInventory()
	if err != nil {
		return nil, err
	}
	c := inventory.Config{
		Bucket: name, Name: path, Null: p.config.Inventory.Null, IsRecord: store.Bucket().Records.IsRecord,
		Versions: p.config.Options.Versions, Log: p.config.Log,
	}
	inReports, inBucket := p.config.inventoryIn()
	switch byWorkers := p.config.Queue != ""; {
	case byWorkers && inReports != "": // as workers read it
		c.From, c.Name = p.reports.Beside(p.config.BucketConfig), inReports
	case byWorkers && inBucket != "":
		c.From, c.Name = store, inBucket
	case path == "-":
		if c.Name, err = inventory.Spool(p.config.Inventory.Stdin); err != nil {
			return nil, fmt.Errorf("copy standard input: %w", err)
		}
		p.closes = append(p.closes, func() error { return os.Remove(c.Name) })
	case bucket != "":
		from, err := p.config.BucketDrivers.Open(ctx, bucket, "with the inventory", blobstore.Config{Log: p.config.Log, Memory: p.config.BucketConfig.Memory})
		if err != nil {
			return nil, err
		}
		p.closes = append(p.closes, from.Close)
		c.From = from
	}
	return inventory.Open(ctx, c)
}

// examine counts the objects that have no row, which are gone, unless the pass leaves some out.
func (l *inventoried) examine(examine sweep.Examine) sweep.Examine {
	return func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
		row, err := examine(ctx, i)
		if err == nil && row.State == "" {
			l.gone.Add(1)
		}
		return row, err
	}
}

// tellGone logs how many objects of the inventory are gone.
func (p *Pass) tellGone(o sweep.Options) {
	if p.inventory == nil || p.inventory.gone.Load() == 0 || !o.VerifiedBefore.IsZero() {
		return
	}
	p.config.Log.Warn("objects of the inventory are not in the bucket any more; they have no rows",
		"objects", p.inventory.gone.Load(), "made", p.inventory.Made())
}
