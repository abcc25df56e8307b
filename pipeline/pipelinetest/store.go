package pipelinetest

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Store is the harness of one test: an empty bucket, as the pipeline and as users see it.
// The harness ends what it holds with t.Cleanup.
type Store struct {
	Name string // of the bucket, in events
	// Versions: an overwritten object can still be read by its version.
	Versions bool
	// Unconditional: the store honours no condition of a write, so that only the locks of one
	// process keep a record from being replaced by an older one.
	Unconditional bool
	// RemovesAnything: the test's server ignores the condition of a delete, unlike the store that it stands for.
	RemovesAnything bool
	// Holds reports whether the bucket can have an object with that key. nil: it can have
	// any UTF-8 key.
	Holds func(key string) bool
	// Open opens the bucket as another process would. All buckets of one harness have the
	// same objects.
	Open func(t *testing.T, algorithms ...string) pipeline.Bucket
	// RecordKey returns the key of a record.
	RecordKey func(key, algorithm string) string

	// Put stores an object, or a checksum file of the user's own, as a user does.
	Put func(t *testing.T, key, content string)
	// Get returns the content that a user finds at a key; false if there is none.
	Get func(t *testing.T, key string) (string, bool)
	// Delete removes an object or a record as a user does.
	Delete func(t *testing.T, key string)
	// Keys returns all keys that a user sees.
	Keys func(t *testing.T) []string
}

// TestStore runs the conformance suite of adapters that read objects and keep their
// records. Its parts run in parallel, each on a harness of its own.
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
		{"VerifiedAt", testVerifiedAt},
		{"SaveNewer", testSaveNewer},
		{"SaveAfterOthers", testSaveAfterOthers},
		{"SaveUnordered", testSaveUnordered},
		{"SaveConcurrently", testSaveConcurrently},
		{"Algorithms", testAlgorithms},
		{"AlgorithmsChange", testAlgorithmsChange},
		{"MixedVersions", testMixedVersions},
		{"Remove", testRemove},
		{"UsersFile", testUsersFile},
		{"Adoption", testAdoption},
		{"UsersList", testUsersList},
		{"Contradiction", testContradiction},
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
