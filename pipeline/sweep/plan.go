package sweep

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

// Command says what a pass does with each object.
type Command string

// The commands.
const (
	Backfill Command = "backfill" // each object gets its current record
	Verify   Command = "verify"   // content, or only versions, are compared with records
	Manifest Command = "manifest" // the records are read
)

// Plan is a pass: what it does, and with which objects. It is written once, when the pass begins. Workers
// read it, so that a message needs only its name.
type Plan struct {
	Pass    string    `json:"pass"`
	Command Command   `json:"command"`
	Created time.Time `json:"created"`
	Version string    `json:"version"` // of the program
	Options Options   `json:"options"`
	// Buckets has the ranges of each bucket, by the name that events carry. Together, the ranges of a bucket
	// cover all positions.
	Buckets map[string][]Range `json:"buckets"`
	// Places says where each bucket and its records are, in the words of the process that began the pass. Workers have
	// their own words.
	Places map[string]string `json:"places,omitempty"`
	// InventoryAt is where workers find the list of Options.Inventory; nil: they cannot read it.
	InventoryAt *InventoryAt `json:"inventory_at,omitempty"`
}

// InventoryAt says where a list of objects lies, and how it is read.
type InventoryAt struct {
	URL  string `json:"url"`            // of the object, without parameters and secrets
	Null bool   `json:"null,omitempty"` // its keys end with NUL
}

// Options says which objects a pass is about, and how it looks at them. The zero value: all of them, by reading.
type Options struct {
	Algorithms  []string  `json:"algorithms,omitempty"`
	Prefix      string    `json:"prefix,omitempty"` // of keys
	Include     []string  `json:"include,omitempty"`
	Exclude     []string  `json:"exclude,omitempty"`
	Newer       time.Time `json:"newer,omitzero"` // modified after this
	Larger      int64     `json:"larger,omitempty"`
	Sample      float64   `json:"sample,omitempty"` // share of the objects, from 0 to 1, chosen by a hash of the key; 0: all
	RecordsOnly bool      `json:"records_only,omitempty"`
	// VerifiedBefore selects objects that were last found right before this; see Row.VerifiedAt. A successful check
	// renews that time.
	VerifiedBefore time.Time `json:"verified_before,omitzero"`
	// OlderThan and Budget are what VerifiedBefore was computed from when the pass began: an age, and bytes to read.
	OlderThan time.Duration `json:"older_than,omitempty"`
	Budget    int64         `json:"budget,omitempty"`
	// Inventory tells lists of objects apart whose rows are the positions. Empty: the buckets are listed.
	Inventory string `json:"inventory,omitempty"`
	// Parquet: the reports are files of Apache Parquet, not lines of JSON.
	Parquet bool `json:"parquet,omitempty"`
	// Against: the content is compared with a list, not with records.
	Against bool `json:"against,omitempty"`
	// IgnoreClaims: the content is not compared with the claims of its store. Workers that do otherwise refuse the pass.
	IgnoreClaims bool `json:"ignore_claims,omitempty"`
	// RecordMismatches: a backfill records content that contradicts a claim.
	RecordMismatches bool `json:"record_mismatches,omitempty"`
	// Versions: the pass is about every version of each object. Those that are not current have no record.
	Versions bool `json:"versions,omitempty"`
}

// roots returns the first shards of a pass, in the order of its rows.
func (p Plan) roots() []pipeline.Shard {
	var roots []pipeline.Shard
	for _, bucket := range slices.Sorted(maps.Keys(p.Buckets)) {
		for _, r := range p.Buckets[bucket] {
			roots = append(roots, pipeline.Shard{Pass: p.Pass, Bucket: bucket, After: r.After, Through: r.Through})
		}
	}
	return roots
}

// has reports whether a shard is in a range of the plan.
func (p Plan) has(s pipeline.Shard) bool {
	return slices.ContainsFunc(p.Buckets[s.Bucket], func(r Range) bool { return r.has(rangeOf(s)) })
}

// differences names what makes a pass of this plan another one than that of the other plan. VerifiedBefore is not
// compared, because the time has passed since then.
func (p Plan) differences(other Plan) (all []string) {
	differs := func(is bool, what string) {
		if is {
			all = append(all, what)
		}
	}
	differs(p.Command != other.Command, "the command")
	differs(!slices.Equal(slices.Sorted(maps.Keys(p.Buckets)), slices.Sorted(maps.Keys(other.Buckets))), "the buckets")
	differs(!maps.Equal(p.Places, other.Places), "the places of records")
	p.Options.VerifiedBefore, other.Options.VerifiedBefore = time.Time{}, time.Time{}
	mine, others := p.Options.fields(), other.Options.fields()
	names := maps.Clone(mine)
	maps.Copy(names, others)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		differs(!bytes.Equal(mine[name], others[name]), "--"+cmp.Or(flagOf[name], strings.ReplaceAll(name, "_", "-")))
	}
	return all
}

// flagOf has the flags of options that have another name in a plan.
var flagOf = map[string]string{"ignore_claims": "native-checks", "parquet": "reports-format", "record_mismatches": "on-mismatch"}

// fields returns the options that are set, by their names in a plan.
func (o Options) fields() (fields map[string]json.RawMessage) {
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		return map[string]json.RawMessage{"options": json.RawMessage(err.Error())}
	}
	return fields
}

// mostRanges bounds what is read from a plan.
const mostRanges = 1_000_000

// check returns what is wrong with a plan that was read.
func (p Plan) check(name string) error {
	if err := pipeline.CheckPass(p.Pass); err != nil {
		return err
	}
	if planName(p.Pass) != name {
		return fmt.Errorf("it is that of pass %s", p.Pass)
	}
	if len(p.Buckets) == 0 {
		return errors.New("it has no buckets")
	}
	n := 0
	for bucket, ranges := range p.Buckets {
		if n += len(ranges); len(ranges) == 0 || n > mostRanges {
			return fmt.Errorf("bucket %.100q: it has no ranges, or too many", bucket)
		}
		if (Range{}).isCoveredBy(ranges) == nil {
			continue
		}
		if err := PrefixRange(p.Options.Prefix).isCoveredBy(ranges); err != nil {
			return fmt.Errorf("bucket %.100q: %w", bucket, err)
		}
	}
	return p.Options.check()
}

// check returns what is wrong with options.
func (o Options) check() error {
	for _, glob := range slices.Concat(o.Include, o.Exclude) {
		if !keyglob.Valid(glob) {
			return fmt.Errorf("%.100q is not a glob", glob)
		}
	}
	switch {
	case !utf8.ValidString(o.Prefix):
		return fmt.Errorf("the prefix %.100q is not UTF-8", o.Prefix)
	case o.Sample < 0 || o.Sample > 1 || math.IsNaN(o.Sample):
		return fmt.Errorf("a sample of %v is not from 0 to 1", o.Sample)
	}
	return nil
}

// readPlan reads a plan by its name in reports. A plan that a later version wrote may ask for what this one does not know: the
// error is transient, because another worker may know it. pipeline.ErrNotFound: there is no such pass.
func readPlan(ctx context.Context, from Reports, name string) (Plan, error) {
	data, err := from.Get(ctx, name)
	if err != nil {
		return Plan{}, fmt.Errorf("read the plan %s: %w", name, err)
	}
	var p Plan
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	err = in.Decode(&p)
	if _, more := in.Token(); err == nil && more != io.EOF {
		err = errors.New("there is more than a plan")
	}
	if err != nil {
		return Plan{}, fmt.Errorf("read the plan %s, which may be of a newer version: %w", name, err)
	}
	if err := p.check(name); err != nil {
		return Plan{}, pipeline.Permanent(fmt.Errorf("the plan %s is damaged: %w", name, err))
	}
	return p, nil
}

// newPlan divides the buckets of a plan into ranges, about n together.
func newPlan(ctx context.Context, p Plan, buckets []string, open Open, n int) (Plan, error) {
	p.Buckets = make(map[string][]Range, len(buckets))
	for _, name := range buckets {
		b, err := open(ctx, p, name)
		if err != nil {
			return p, err
		}
		whole := Range{}
		if b.Keys {
			whole = PrefixRange(p.Options.Prefix)
		}
		ranges, err := divide(ctx, b.Source, whole, max(1, n/len(buckets)))
		if err != nil {
			return p, fmt.Errorf("divide bucket %s into shards: %w", name, err)
		}
		p.Buckets[name] = ranges
	}
	return p, nil
}

// divide divides a range into n parts, or fewer where the source finds no more.
func divide(ctx context.Context, s Source, r Range, n int) ([]Range, error) {
	parts := []Range{r}
	for grown := true; grown && len(parts) < n; {
		grown = false
		var next []Range
		for i, part := range parts {
			if len(next)+len(parts)-i >= n {
				next = append(next, parts[i:]...)
				break
			}
			at, ok, err := s.Split(ctx, part)
			if err != nil {
				return nil, err
			}
			if !ok || !part.Contains(at) || at == part.Through {
				next = append(next, part)
				continue
			}
			grown = true
			next = append(next, Range{After: part.After, Through: at}, Range{After: at, Through: part.Through})
		}
		parts = next
	}
	return parts, nil
}
