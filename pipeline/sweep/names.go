package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

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

// name returns the name of the report of a shard. It is the same in every process and version, and no part of
// it is text from a message that was not checked.
func (f *form) name(s pipeline.Shard) string {
	return reportsOf(s.Pass) + plain(s.Bucket) + "/" + shortHash(s.Bucket, s.After, s.Through) + f.ending
}

var (
	plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	notPlain  = regexp.MustCompile(`[^a-z0-9_-]+`)
)

// plain returns the name of a bucket in the letters that all stores and file systems tell apart. Another bucket may
// have the same: the name of a report has a hash of the bucket, too.
func plain(bucket string) string {
	if plainName.MatchString(bucket) {
		return bucket
	}
	text := "x" + notPlain.ReplaceAllString(strings.ToLower(bucket), "-")
	return text[:min(len(text), 40)] + "-" + shortHash(bucket)[:12]
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

// newName returns a name for a pass that begins at a time. Names have the order of these times.
func newName(begin time.Time) string { return begin.UTC().Format("20060102-150405") }

func rangeOf(s pipeline.Shard) Range { return Range{After: s.After, Through: s.Through} }

func (r Range) check() error {
	if r.Through != "" && r.Through < r.After {
		return fmt.Errorf("the range ends before it begins: %.100q to %.100q", r.After, r.Through)
	}
	return nil
}

// has reports whether all of another range is in r.
func (r Range) has(other Range) bool {
	return other.After >= r.After && (r.Through == "" || other.Through != "" && other.Through <= r.Through)
}

// isCoveredBy returns an error unless ranges follow each other without gaps, and cover all of r.
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
