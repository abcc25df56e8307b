package live

import (
	"slices"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Dismiss removes the final failures that match from the list and returns how many they were. The totals stay: an
// object without a checksum has none, whether its failure is shown or not.
func (a *Activity) Dismiss(matches func(reason string, objects ...pipeline.Object) bool) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.failures)
	a.failures = slices.DeleteFunc(a.failures, func(f Failure) bool {
		if !f.Final {
			return false
		}
		if f.Key == "" {
			return matches(f.Reason)
		}
		return matches(f.Reason, pipeline.Object{Bucket: f.Bucket, Key: f.Key})
	})
	return before - len(a.failures)
}
