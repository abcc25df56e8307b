package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// verifier digests an object and compares it with the claims of its store, in one pass.
type verifier struct {
	digests *digest.Verifier
	claims  []pipeline.Claim
	log     *slog.Logger
}

// unevenParts is why a claim is unchecked if its parts have other sizes than assumed. A second reading
// checks the claim.
const unevenParts = "its parts are of unequal sizes"

// verifier returns the verifier of a first reading, which assumes sizes of parts, or of a second one,
// which asks the store for them.
func (c Config) verifier(ctx context.Context, r pipeline.Reader, second bool) (*verifier, error) {
	v := &verifier{log: c.Log}
	if !c.IgnoreClaims {
		v.claims = slices.Clone(r.Claims(ctx))
	}
	for i := range v.claims {
		if claim := &v.claims[i]; second && claim.Confirm != nil {
			sizes, err := claim.Confirm(ctx)
			if err != nil {
				return nil, fmt.Errorf("ask for the parts of %s: %w", r.Object(), err)
			}
			claim.Parts, claim.Confirm = sizes, nil
		}
	}
	claims := make([]digest.Claim, len(v.claims))
	for i, claim := range v.claims {
		claims[i] = claim.Claim
	}
	var err error
	v.digests, err = digest.NewVerifier(c.Algorithms, claims)
	return v, err
}

// checks compares the claims with the content after all of it was read.
func (v *verifier) checks(ctx context.Context, o pipeline.Object) ([]pipeline.Check, error) {
	var checks []pipeline.Check
	for i, verdict := range v.digests.Verdicts() {
		claim := v.claims[i]
		if verdict.Outcome == digest.Mismatch && claim.Confirm != nil {
			sizes, err := claim.Confirm(ctx)
			if err != nil {
				return nil, fmt.Errorf("ask for the parts of %s: %w", o, err)
			}
			if !slices.Equal(sizes, claim.Parts) {
				verdict = digest.Verdict{Outcome: digest.Unchecked, Claimed: verdict.Claimed, Reason: unevenParts}
			}
		}
		if verdict.Outcome == digest.Unchecked {
			v.log.LogAttrs(ctx, slog.LevelDebug, "claim not checked", append(attrs(o),
				slog.String("claim", claim.Name), slog.String("reason", verdict.Reason))...)
		}
		checks = append(checks, pipeline.Check{Name: claim.Name, Algorithm: claim.Algorithm, Verdict: verdict})
	}
	return checks, nil
}

// misread names, in one line, the claims whose parts have other sizes than assumed.
func misread(checks []pipeline.Check) string {
	var all []string
	for _, c := range checks {
		if c.Outcome == digest.Unchecked && c.Reason == unevenParts {
			all = append(all, c.Name+": "+c.Reason)
		}
	}
	return strings.Join(all, "; ")
}

// mismatches names, in one line, the claims that differ from the content.
func mismatches(checks []pipeline.Check) string {
	var all []string
	for _, c := range checks {
		name := c.Name
		if name == byRecord {
			name = "its record"
		}
		switch {
		case c.Outcome != digest.Mismatch:
		case c.Computed == "": // read from a record
			all = append(all, fmt.Sprintf("not the %s of %s", c.Algorithm, name))
		default:
			all = append(all, fmt.Sprintf("%s says %s %s, the content has %s", name, c.Algorithm, c.Claimed, c.Computed))
		}
	}
	return strings.Join(all, "; ")
}

// byRecord is the name of a check against the record.
const byRecord = "record"

// known is what others than the store say about the content: its record, and the checksum files of users. The checks have
// no outcome yet.
type known []pipeline.Check

// failed returns the checks that digests of the content contradict.
func (k known) failed(digests map[string]string) []pipeline.Check {
	var failed []pipeline.Check
	for _, c := range k {
		if got := digests[c.Algorithm]; got != "" && c.Claimed != "" && got != c.Claimed {
			c.Outcome, c.Computed = digest.Mismatch, got
			failed = append(failed, c)
		}
	}
	return failed
}

func attrs(o pipeline.Object) []slog.Attr {
	return []slog.Attr{slog.String("bucket", o.Bucket), slog.String("key", o.Key), slog.String("version_id", o.VersionID)}
}
