package blobstore

import (
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// joined returns one error with the texts of all. Its class is the most urgent of theirs: a
// sidecar that is superseded must not hide another one that failed.
func joined(errs []error) error {
	rank := map[pipeline.Class]int{pipeline.ClassSuperseded: 1, pipeline.ClassPermanent: 2, pipeline.ClassTransient: 3}
	var worst error
	var others []error
	for _, err := range errs {
		switch {
		case err == nil:
		case rank[pipeline.Classify(err)] > rank[pipeline.Classify(worst)]:
			if worst != nil {
				others = append(others, worst)
			}
			worst = err
		default:
			others = append(others, err)
		}
	}
	if len(others) == 0 {
		return worst
	}
	return fmt.Errorf("%w; also: %v", worst, errors.Join(others...))
}
