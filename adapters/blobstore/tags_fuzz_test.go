package blobstore

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// FuzzTags reads tags that other writers may have changed. What is taken for a record must be
// complete and must read the same when it is written again.
func FuzzTags(f *testing.F) {
	o := pipeline.Object{Bucket: "b", Key: "k", Size: pipeline.UnknownSize}
	of := nameHash(o)
	f.Add("etag=e size=3 of="+of+" at=2025-03-14T15:09:26.5Z sequencer=01", strings.Repeat("0", 32), "etag/md5=match", "v")
	f.Add("etag=e size=-3 of="+of+" at=2025-03-14T15:09:26Z", "x", "a/b=mismatch c/d=match =", "")
	f.Add("etag== size=03 size=4 of="+of+" at=9999-12-31T23:59:59Z", strings.Repeat("F", 32), "//==match", "null")
	r := tagRecords{algorithms: []string{"md5"}}
	f.Fuzz(func(t *testing.T, source, value, verified, version string) {
		got, ok := r.parse(o, version, map[string]string{tagSource: source, tagDigest + "md5": value, tagVerified: verified})
		if !ok {
			return
		}
		if s := got.Source; s.Bucket != o.Bucket || s.Key != o.Key || s.ETag == "" || s.Size < 0 || !digest.Valid("md5", got.Digests["md5"]) {
			t.Fatalf("taken for a record: %+v", got)
		}
		again, ok := r.parse(o, version, map[string]string{tagSource: formatSource(got), tagDigest + "md5": value, tagVerified: formatChecks(got.Checks)})
		if !ok {
			t.Fatalf("%q is no record", formatSource(got))
		}
		if diff := cmp.Diff(got.Source, again.Source); diff != "" || !got.ComputedAt.Equal(again.ComputedAt) {
			t.Errorf("written again it reads as (-want +got):\n%s", diff)
		}
		if len(verified) <= tagValueLimit && len(again.Checks) != len(got.Checks) {
			t.Errorf("checks %v read as %v", got.Checks, again.Checks)
		}
	})
}
