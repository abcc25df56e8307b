package blobstore

import (
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// rememberChecks writes the outcome of each check into the metadata of a record.
func rememberChecks(metadata map[string]string, checks []pipeline.Check) {
	named := func(outcome digest.Outcome) string {
		var names []string
		for _, c := range checks {
			if c.Outcome == outcome {
				names = append(names, c.Name+" "+c.Algorithm)
			}
		}
		return strings.Join(names, ", ")
	}
	if names := named(digest.Match); names != "" {
		metadata[metaVerified], metadata[metaVerifiedAgainst] = string(digest.Match), names
	}
	if names := named(digest.Mismatch); names != "" {
		metadata[metaVerified], metadata[metaMismatchWith] = string(digest.Mismatch), names
	}
}

// rememberedChecks is the inverse of rememberChecks. Checks without an outcome are lost.
func rememberedChecks(metadata map[string]string) []pipeline.Check {
	var checks []pipeline.Check
	add := func(key string, outcome digest.Outcome) {
		for entry := range strings.SplitSeq(metadata[key], ", ") {
			if name, algorithm, ok := strings.Cut(entry, " "); ok {
				checks = append(checks, pipeline.Check{Name: name, Algorithm: algorithm, Verdict: digest.Verdict{Outcome: outcome}})
			}
		}
	}
	add(metaVerifiedAgainst, digest.Match)
	add(metaMismatchWith, digest.Mismatch)
	return checks
}
