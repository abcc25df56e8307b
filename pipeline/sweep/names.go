package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
)

// The names of objects in [Reports]. Plans and summaries are apart from the many reports, so that unfinished
// passes are found by two short listings.
const (
	plans     = "plans/"
	summaries = "summaries/"
	reports   = "reports/"
)

func planName(pass string) string    { return plans + pass + ".json" }
func summaryName(pass string) string { return summaries + pass + ".json" }

// reportsOf is the beginning of the names of all reports of a pass.
func reportsOf(pass string) string { return reports + pass + "/" }

// reportName returns the name of the report of a shard. It is the same in every process and version, and no part of
// it is text from a message that was not checked.
func reportName(s pipeline.Shard) string {
	return reportsOf(s.Pass) + folderOf(s.Bucket) + "/" + shortHash(s.Bucket, s.After, s.Through) + ".jsonl.gz"
}

var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// folderOf returns the folder for the reports of a bucket: its name, or a hash of it. Only people use it: the name
// of a report has the bucket in its hash, too.
func folderOf(bucket string) string {
	if plainName.MatchString(bucket) {
		return bucket
	}
	return shortHash(bucket)
}

// shortHash returns 40 digits. The lengths of the texts are hashed with them, so that no two lists of texts are
// the same.
func shortHash(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// CheckName returns what is wrong with the name of a pass.
func CheckName(pass string) error {
	if !plainName.MatchString(pass) {
		return fmt.Errorf("pass %.100q: a name has 1 to 63 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit", pass)
	}
	return nil
}

// newName returns a name for a pass that begins at a time. Names have the order of these times.
func newName(begin time.Time) string { return begin.UTC().Format("20060102-150405") }

// checkShard returns what is wrong with a shard that a message names. Each fault is for good.
func checkShard(s pipeline.Shard) error {
	if err := CheckName(s.Pass); err != nil {
		return pipeline.Permanent(err)
	}
	switch {
	case s.Bucket == "" || len(s.Bucket) > pipeline.MaxBucketName:
		return pipeline.Permanent(fmt.Errorf("pass %s: %.100q is no bucket", s.Pass, s.Bucket))
	case len(s.After) > pipeline.MaxKey || len(s.Through) > pipeline.MaxKey:
		return pipeline.Permanent(fmt.Errorf("pass %s: a position of the shard is longer than %d bytes", s.Pass, pipeline.MaxKey))
	}
	return pipeline.Permanent(rangeOf(s).check())
}

func rangeOf(s pipeline.Shard) Range { return Range{After: s.After, Through: s.Through} }

func (r Range) check() error {
	switch {
	case !utf8.ValidString(r.After) || !utf8.ValidString(r.Through):
		return fmt.Errorf("a position is not UTF-8: %.100q to %.100q", r.After, r.Through)
	case r.Through != "" && r.Through < r.After:
		return fmt.Errorf("the range ends before it begins: %.100q to %.100q", r.After, r.Through)
	}
	return nil
}

// has reports whether all of another range is in r.
func (r Range) has(other Range) bool {
	return other.After >= r.After && (r.Through == "" || other.Through != "" && other.Through <= r.Through)
}

// follow reports whether ranges follow each other without gaps, and cover all of r.
func (r Range) isCoveredBy(ranges []Range) error {
	at := r.After
	for i, part := range ranges {
		if err := part.check(); err != nil {
			return err
		}
		if part.After != at || i > 0 && at == "" {
			return fmt.Errorf("the range after %.100q begins after %.100q", at, part.After)
		}
		at = part.Through
	}
	if len(ranges) == 0 || at != r.Through {
		return errors.New("the ranges do not cover the whole")
	}
	return nil
}

// shardText names a shard in errors.
func shardText(s pipeline.Shard) string {
	var text strings.Builder
	fmt.Fprintf(&text, "pass %s, bucket %s", s.Pass, s.Bucket)
	if s.After != "" {
		fmt.Fprintf(&text, ", after %q", s.After)
	}
	if s.Through != "" {
		fmt.Fprintf(&text, ", through %q", s.Through)
	}
	return text.String()
}
