package blobstore

import (
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// joined returns an error of the class that needs the most care, with the texts of all: a
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
