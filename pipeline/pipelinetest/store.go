package pipelinetest

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Store is the harness of one test: an empty bucket as the pipeline has it and
// as its users have it. What the harness holds it ends with t.Cleanup.
type Store struct {
	Name string // of the bucket, as events carry it
	// Versions: what was overwritten can still be read by its version.
	Versions bool
	// Holds reports whether the bucket can have an object of that name; nil: it can
	// of any that is UTF-8.
	Holds func(key string) bool
	// Open opens the bucket as another process would. All that are opened through
	// one harness see the same objects.
	Open func(t *testing.T, algorithms ...string) pipeline.Bucket
	// RecordKey returns the key of a record.
	RecordKey func(key, algorithm string) string

	// Put stores an object, or a sidecar of the user's own, as a user does.
	Put func(t *testing.T, key, content string)
	// Get returns what a user finds; false if there is nothing.
	Get func(t *testing.T, key string) (string, bool)
	// Delete removes what a user put or the pipeline wrote.
	Delete func(t *testing.T, key string)
	// Keys returns the keys of everything that a user sees.
	Keys func(t *testing.T) []string
}

// TestStore runs the conformance suite of adapters that read objects and keep
// their records. Its parts run at the same time, each on a harness of its own.
func TestStore(t *testing.T, newStore func(t *testing.T) Store) {
	for _, test := range []struct {
		name string
		run  func(*storeTest)
	}{
		{"Read", testRead},
		{"ReadCurrent", testReadCurrent},
		{"ReadChanged", testReadChanged},
		{"ReadMissing", testReadMissing},
		{"ReadUnaddressable", testReadUnaddressable},
		{"OddNames", testOddNames},
		{"SaveAndLookup", testSaveAndLookup},
		{"SaveAgain", testSaveAgain},
		{"Checks", testChecks},
		{"SaveNewer", testSaveNewer},
		{"SaveOlder", testSaveOlder},
		{"SaveUnordered", testSaveUnordered},
		{"SaveConcurrently", testSaveConcurrently},
		{"Algorithms", testAlgorithms},
		{"AlgorithmsChange", testAlgorithmsChange},
		{"MixedVersions", testMixedVersions},
		{"Remove", testRemove},
		{"RemoveOlder", testRemoveOlder},
		{"UsersFile", testUsersFile},
		{"UsersFileWithSameLine", testUsersFileWithSameLine},
		{"UsersFileAmongSeveral", testUsersFileAmongSeveral},
		{"UserReplacesRecord", testUserReplacesRecord},
		{"UserDeletesRecord", testUserDeletesRecord},
		{"IsRecord", testIsRecord},
		{"Md5sumChecks", testMd5sumChecks},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&storeTest{T: t, Store: newStore(t)})
		})
	}
}
