package blobstore

import (
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
)

// joined returns one error with the texts of all. It is the most urgent of them: a transient error, then
// ErrChanged, which asks for another look, then a mismatch, then another permanent error.
func joined(errs []error) error {
	rank := func(err error) int {
		switch {
		case err == nil:
			return 0
		case errors.Is(err, pipeline.ErrMismatch):
			return 2
		case pipeline.Classify(err) == pipeline.ClassPermanent:
			return 1
		case errors.Is(err, pipeline.ErrChanged):
			return 3
		}
		return 4
	}
	var worst error
	var others []error
	for _, err := range errs {
		switch {
		case err == nil:
		case rank(err) > rank(worst):
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
	for _, other := range others {
		worst = fmt.Errorf("%w; also: %v", worst, other)
	}
	return worst
}
