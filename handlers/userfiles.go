package handlers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// filesSay returns what files in the place of records say of the content.
func filesSay(files []pipeline.UserFile) (all known) {
	for _, f := range files {
		for _, value := range f.Values {
			all = append(all, pipeline.Check{Name: f.Key, Algorithm: f.Algorithm, Verdict: digest.Verdict{Claimed: value}})
		}
	}
	return all
}

// stray returns the files that bucketsum wrote.
func stray(files []pipeline.UserFile) []pipeline.UserFile {
	return slices.DeleteFunc(slices.Clone(files), func(f pipeline.UserFile) bool { return !f.Stray })
}

// contradictedFiles names, in one line, the claims of the listing that contradict a user's file in the place of a record.
func (v *verification) contradictedFiles() string {
	if v.IgnoreClaims {
		return ""
	}
	var all []string
	for _, claim := range v.Claims {
		for _, f := range v.files {
			for _, value := range f.Values {
				if wrong := contradicts(claim, f.Key, map[string]string{f.Algorithm: value}); wrong != "" {
					all = append(all, wrong)
				}
			}
		}
	}
	return strings.Join(all, "; ")
}

// filesFound adds to the reason why an object has no record what becomes of the files in the place of its records, which
// its content does not contradict.
func (v *verification) filesFound(reason string) string {
	var all []string
	if reason != "" {
		all = append(all, reason)
	}
	for _, f := range v.files {
		text := "is right: backfill adopts it"
		switch {
		case len(f.Values) == 0:
			text = "states no " + f.Algorithm + " of the object: move it away"
		case !f.Adoptable && v.content == nil:
			text = "was not compared, and has more in it, so that backfill leaves it alone: move it away, then run backfill"
		case v.content == nil:
			text = "was not compared, because nothing was read: backfill adopts it if it is right"
		case !f.Adoptable:
			text = "is right, and has more in it, so that backfill leaves it alone: move it away, then run backfill"
		}
		whose := "which bucketsum did not write"
		if f.Stray {
			whose = "a record that does not tell its version"
		}
		all = append(all, fmt.Sprintf("%q, %s, %s", f.Key, whose, text))
	}
	return strings.Join(all, "; ")
}
