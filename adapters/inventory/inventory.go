package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Config says where a list is, and what it is about. Bucket and Name are needed.
type Config struct {
	Bucket string // of the pass, as events name it; rows of other buckets are left out
	// Name is the path of a file, or the key of an object in From. Its ending decides what it is: .json is the manifest
	// of an inventory, .csv (or .csv.gz) and .parquet are tables, and anything else is a list of keys.
	Name string
	// From is the bucket that the list lies in; nil: it is a file. Only Stat and OpenAt are used.
	From pipeline.Source
	// Null: the keys of a list of keys end with NUL, not with a newline.
	Null bool
	// Scattered: ranges are asked for in no order. No reading stays open for the range that may follow, and nothing
	// needs Close.
	Scattered bool
	// IsRecord reports whether a key is that of a record. Records are left out. nil: there are none.
	IsRecord func(key string) bool
	// Versions: rows of older versions are wanted, too, and Item.Object has the version of each row. An error ends the
	// listing if the list does not tell versions.
	Versions bool
	Log      *slog.Logger // nil: discarded
}

// Inventory is an open list, until Close. Positions are rows: the number of the file, and that of the row in it, so that the order of
// their bytes is the order of the rows. Its methods are safe for concurrent use, except Close.
type Inventory struct {
	config Config
	log    *slog.Logger
	files  []dataFile
	id     string
	made   string

	strangers sync.Once // a row of another bucket is logged once

	mu     sync.Mutex
	seen   map[string]file // objects, by their keys
	rows   map[int]int64   // rows of files, as far as they were counted
	parked *reading        // nil: none
}

var _ sweep.Source = (*Inventory)(nil)

// dataFile is a file of rows.
type dataFile struct {
	name  string // path, or key
	kind  kind
	table *table // nil: the first row has the names of columns
	size  int64  // bytes that the file must have, and its weight; -1: not known
	md5   string // in hexadecimal; empty: not known
}

// kind is how a file holds its rows.
type kind int

const (
	keys kind = iota
	nullKeys
	commas
	parquetRows
)

// Open reads what the list is: its manifest, or its beginning. Errors are permanent, unless the store could not be
// asked. They say what to choose instead of a format that cannot be read.
func Open(ctx context.Context, c Config) (*Inventory, error) {
	v := &Inventory{config: c, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)), seen: make(map[string]file), rows: make(map[int]int64)}
	if err := v.open(ctx); err != nil {
		return nil, fmt.Errorf("inventory %s: %w", readable.Name(c.Name), err)
	}
	return v, nil
}

// ID tells inventories apart by their content, so that a pass is not resumed with another one.
func (v *Inventory) ID() string { return v.id }

// Made is when the inventory was made, as it says itself; empty: it does not say.
func (v *Inventory) Made() string { return v.made }

// Items implements sweep.Source. Errors of single rows are those of rows that cannot be read. A file that is not what
// its manifest says, or is damaged, ends the listing with a permanent error.
func (v *Inventory) Items(ctx context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		from, through, err := positions(r)
		if err != nil {
			yield(sweep.Item{}, pipeline.Permanent(err))
			return
		}
		for n := from.file; n < len(v.files) && n <= through.file; n++ {
			p := part{file: n, after: 0, through: lastRow}
			if n == from.file {
				p.after = from.row
			}
			if n == through.file {
				p.through = through.row
			}
			if p.after >= p.through {
				continue
			}
			if err := v.read(ctx, p, yield); errors.Is(err, errEnough) {
				return
			} else if ended(err) != nil {
				yield(sweep.Item{}, fmt.Errorf("%s: %w", readable.Name(v.files[n].name), err))
				return
			}
		}
	}
}

// errEnough ends the reading of a file whose rows are not wanted any more.
var errEnough = errors.New("enough")

var errNoVersions = pipeline.Permanent(errors.New("it has no columns VersionId and IsLatest: choose an inventory of all versions, or leave out --versions"))

// read yields the items of a part of a file.
func (v *Inventory) read(ctx context.Context, p part, yield func(sweep.Item, error) bool) (err error) {
	rows, err := v.begin(ctx, p)
	if err != nil {
		return err
	}
	defer func() { v.end(rows, err) }()
	for rows.row < p.through {
		if rows.row%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if rows.row < p.after {
			if err := rows.skip(); err != nil {
				return err
			}
			rows.row++
			continue
		}
		r, err := rows.next()
		fault := (*rowError)(nil)
		if err != nil && !errors.As(err, &fault) {
			return err
		}
		rows.row++
		if v.config.Versions && err == nil && !r.gone && !r.versions {
			return errNoVersions
		}
		i, wanted := v.item(r, err)
		if !wanted {
			continue
		}
		if i.At = (position{p.file, rows.row}).String(); fault != nil {
			err = fmt.Errorf("row %d of %s: %w", rows.row, readable.Name(v.files[p.file].name), err)
		}
		if !yield(i, err) {
			return errEnough
		}
	}
	return nil
}

// item returns what a row is about. It is not wanted if it is not about an object of the bucket, or about an older
// version without Config.Versions.
func (v *Inventory) item(r row, err error) (sweep.Item, bool) {
	i := sweep.Item{
		Object:   pipeline.Object{Bucket: v.config.Bucket, Key: r.key, ETag: r.etag, VersionID: r.generation, Size: r.size},
		Modified: r.modified, Class: r.class, Archived: r.archived, Claims: r.claims,
	}
	if v.config.Versions {
		i.Object.VersionID, i.Noncurrent = cmp.Or(r.version, "null"), r.older
	} else if r.older {
		return i, false
	}
	if err != nil {
		i.Object.Size = pipeline.UnknownSize
		return i, true
	}
	if r.bucket != "" && r.bucket != v.config.Bucket {
		v.strangers.Do(func() {
			v.log.Warn("the inventory has rows of another bucket, which are left out; this is logged once", "bucket", v.config.Bucket, "other", r.bucket)
		})
		return i, false
	}
	if r.gone || v.config.IsRecord != nil && v.config.IsRecord(r.key) {
		return i, false
	}
	return i, true
}
