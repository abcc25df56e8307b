package live

import (
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Dismiss removes the final failures before a time that match from the list and returns how many they were. The totals
// stay: an object without a checksum has none, whether its failure is shown or not.
func (a *Activity) Dismiss(before time.Time, matches func(reason string, objects ...pipeline.Object) bool) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	had := len(a.failures)
	a.failures = slices.DeleteFunc(a.failures, func(f Failure) bool {
		if !f.Final || !f.At.Before(before) {
			return false
		}
		if f.Key == "" {
			return matches(f.Reason)
		}
		return matches(f.Reason, pipeline.Object{Bucket: f.Bucket, Key: f.Key})
	})
	return had - len(a.failures)
}
