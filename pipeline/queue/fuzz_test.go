package queue_test

import (
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// FuzzFold asserts that metadata survive a queue that carries some of them only, and that
// anything that a sender puts into them can be unfolded.
func FuzzFold(f *testing.F) {
	f.Add("id", "name", "value", "other", `{"a":"b"}`)
	f.Add("", "", "", "bucketsum.metadata", `{"bucketsum.metadata":"{}"}`)
	f.Add("\xff", "a\x00", "\xff", "bucketsum.metadata", `{"a":1}`)
	f.Fuzz(func(t *testing.T, id, name, value, other, otherValue string) {
		sent := map[string]string{name: value, other: otherValue}
		queue.Unfold(sent)
		for _, text := range []string{id, name, value, other, otherValue} {
			if !utf8.ValidString(text) {
				return // arrives with other characters
			}
		}
		if _, taken := sent[queue.MetadataUUID]; taken {
			return
		}
		carried := queue.Fold(id, sent, func(k, v string) bool { return len(k) == 1 && v != "" })
		gotID, got := queue.Unfold(carried)
		if diff := cmp.Diff(sent, got); diff != "" || gotID != id {
			t.Errorf("id %q arrives as %q, metadata as (-want +got):\n%s", id, gotID, diff)
		}
	})
}
