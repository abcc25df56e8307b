package pipeline

import (
	"context"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Claim is what a store says of an object's content.
type Claim struct {
	// Name says where the store says it, in lower case: etag, content-md5,
	// x-amz-checksum-sha256, …
	Name string
	digest.Claim
	// Confirm, where it is set, says that Parts are what they seem to be, not what
	// the store was asked for. It asks and returns the sizes as they are. It is
	// called before the claim is held against the content. Errors: as of
	// Source.Open.
	Confirm func(ctx context.Context) ([]int64, error)
}

// Check is the comparison of content with a claim. Of one that a record
// remembers, only Name, Algorithm and Outcome are known.
type Check struct {
	Name      string // the claim's
	Algorithm string // the claim's
	digest.Verdict
}
