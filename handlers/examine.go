package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Transient errors of one object are retried, so that a store that is slow for some seconds does not make objects
// unreadable.
const examinations = 4 // of an item, at most

var examineWaits = backoff.Backoff{First: 500 * time.Millisecond, Longest: 10 * time.Second}

// maxReason is the length of a row's reason in bytes.
const maxReason = 1000

// Examine returns what a pass does with each item of the buckets. The plan names the command. Its Options say which
// algorithms are wanted, and how objects are verified; which objects the pass is about is for the caller to select,
// except by Options.VerifiedBefore. Config.Selects is not used.
//
// A backfill makes sure that each object has its record, in the same way as events do, and announces what it did by
// Config.Publish. A verification never changes an object or the content of a record. It reports what it
// found only after a second look has shown that neither the object nor its record has changed meanwhile, and announces
// each mismatch. A manifest only looks at records.
//
// The returned function retries transient errors. Its own error is one that ends the shard: the end of ctx,
// pipeline.Unfinished, a result that could not be announced, or a bucket that is not configured.
func Examine(c Config, p sweep.Plan) (sweep.Examine, error) {
	if err := checkVersions(p); err != nil {
		return nil, err
	}
	c.Selects = nil
	known := c.Algorithms
	if len(p.Options.Algorithms) > 0 {
		c.Algorithms = p.Options.Algorithms
	}
	c, err := c.prepared()
	if err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(slices.Clone(c.Algorithms), func(alg string) bool { return slices.Contains(known, alg) })
	if len(unknown) > 0 && !p.Options.Against {
		return nil, fmt.Errorf("pass %s is about %s, and records here have only %s: set --algorithms of the workers to those of the pass",
			p.Pass, strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
	if c.IgnoreClaims != p.Options.IgnoreClaims {
		return nil, fmt.Errorf("pass %s and this worker disagree about the claims of stores: set --native-checks of the workers to that of the pass", p.Pass)
	}
	c.RecordMismatches = p.Options.RecordMismatches
	x := &examiner{Config: c, plan: p, options: p.Options, listed: newRecent(), orphans: newRecent()}
	switch p.Command {
	case sweep.Backfill:
		x.work = x.backfill
	case sweep.Verify:
		x.work = x.verify
		if p.Options.Versions {
			x.work = x.verifyVersion
		}
	case sweep.Manifest:
		x.options.RecordsOnly, x.options.VerifiedBefore, x.options.Against = true, time.Time{}, false
		x.work = x.verify
	default:
		return nil, fmt.Errorf("pass %s has the unknown command %.100q", p.Pass, p.Command)
	}
	return x.examine, nil
}

// examiner examines the items of one pass. Safe for concurrent use.
type examiner struct {
	Config
	plan    sweep.Plan
	options sweep.Options // of plan, as the command needs them
	work    func(ctx context.Context, t *item) (sweep.Row, error)

	listed  *recent // objects that were listed, which need no look
	orphans *recent // objects whose orphaned record has its row
	renewal sync.Once
}

// item is an item in work.
type item struct {
	sweep.Item
	bucket pipeline.Bucket
	bytes  int64 // read
}

// errUnannounced is the error of a result that no receiver has.
var errUnannounced = errors.New("the result is not announced")

func (x *examiner) examine(ctx context.Context, i sweep.Item) (sweep.Row, error) {
	b, ok := x.Buckets[i.Object.Bucket]
	if !ok {
		return sweep.Row{}, pipeline.Permanent(fmt.Errorf("bucket %q %w, so that none of its objects was touched", i.Object.Bucket, pipeline.ErrUnknownBucket))
	}
	t := &item{Item: i, bucket: b}
	for n := 1; ; n++ {
		row, err := x.work(ctx, t)
		switch class := pipeline.Classify(err); {
		case ctx.Err() != nil && err != nil:
			return sweep.Row{}, context.Cause(ctx)
		case class == pipeline.ClassUnfinished:
			return sweep.Row{}, err
		case class == pipeline.ClassTransient && n < examinations:
			if !examineWaits.Wait(ctx, n) {
				return sweep.Row{}, context.Cause(ctx)
			}
			continue
		case errors.Is(err, errUnannounced):
			return sweep.Row{}, err
		case errors.Is(err, pipeline.ErrArchived):
			row = t.row(i.Object, sweep.Archived, "")
		case class == pipeline.ClassSuperseded:
			return sweep.Row{}, nil // it has gone, or is a record by another layout, or stands for a folder
		case err != nil && row.State == "":
			row = t.row(i.Object, sweep.Unreadable, err.Error())
		}
		row.Read = t.bytes
		return row, nil
	}
}

// row returns the row of the item, whose object is in a certain state.
func (t *item) row(o pipeline.Object, s sweep.State, reason string) sweep.Row {
	row := sweep.Row{
		Bucket: t.Object.Bucket, Key: t.Object.Key, State: s, VersionID: o.VersionID, Noncurrent: t.Noncurrent, ETag: o.ETag,
		Class: t.Class, Reason: readable.Cut(readable.Text(reason), maxReason),
	}
	if o.Size != pipeline.UnknownSize {
		row.Size = &o.Size
	}
	if !t.Modified.IsZero() {
		row.Modified = &t.Modified
	}
	if t.At != t.Object.Key {
		row.At = t.At
	}
	return row
}

// missing names, in one line, the algorithms that a record does not have.
func missing(r pipeline.Record, algorithms []string) string {
	var names []string
	for _, alg := range algorithms {
		if r.Digests[alg] == "" {
			names = append(names, alg)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "it has no record of " + strings.Join(names, ", ")
}

// recorded completes a row with what a record says.
func recorded(row sweep.Row, r pipeline.Record) sweep.Row {
	row.RecordedAt, row.VerifiedAt = moment(r.ComputedAt), moment(r.VerifiedAt)
	if row.Checksums == nil {
		row.Checksums = r.Digests
	}
	return row
}

// moment returns a time for a row; nil if it is not known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
