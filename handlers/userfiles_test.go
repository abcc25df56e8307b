package handlers_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// userFile puts a file that bucketsum did not write in the place of the record of an algorithm.
func (s *store) userFile(key, algorithm string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = map[string][]pipeline.UserFile{key: {{Key: key + "." + algorithm, Algorithm: algorithm, Values: values, Adoptable: len(values) == 1}}}
}

// TestVerifyUserFiles shows what a verification finds where files of users are in the place of records.
func TestVerifyUserFiles(t *testing.T) {
	for name, tc := range map[string]verifyCase{
		"with a user's file that is right": {
			do:    func(s *store) sweep.Item { s.userFile("a", "md5", md5sum("one")); return listed(s.put("a", "one")) },
			state: sweep.NoRecord, sum: "one", reason: `"a.md5", which bucketsum did not write, is right: backfill adopts it`, opened: 1, touched: 4,
		},
		"with a user's file that is right, and has more in it": {
			do: func(s *store) sweep.Item {
				s.userFile("a", "md5", md5sum("one"))
				s.files["a"][0].Adoptable = false
				return listed(s.put("a", "one"))
			},
			state: sweep.NoRecord, sum: "one", reason: "is right, and has more in it, so that backfill leaves it alone: move it away, then run backfill", opened: 1, touched: 4,
		},
		"with a user's file that states nothing": {
			do:    func(s *store) sweep.Item { s.userFile("a", "md5"); return listed(s.put("a", "one")) },
			state: sweep.NoRecord, sum: "one", reason: `"a.md5", which bucketsum did not write, states no md5`, opened: 1, touched: 4,
		},
		"with a user's file that is wrong": {
			do:    func(s *store) sweep.Item { s.userFile("a", "md5", md5sum("two")); return listed(s.put("a", "one")) },
			state: sweep.Mismatch, sum: "one", expected: "two", reason: "a.md5 says md5 " + md5sum("two") + ", the content has " + md5sum("one"),
			opened: 2, touched: 5, announced: true,
		},
		"with a user's file that is wrong in one of its lines": {
			do: func(s *store) sweep.Item {
				s.userFile("a", "md5", md5sum("one"), md5sum("two"))
				return listed(s.put("a", "one"))
			},
			state: sweep.Mismatch, sum: "one", expected: "two", reason: "a.md5 says", opened: 2, touched: 5, announced: true,
		},
		"with a user's file that is wrong, and a record of another algorithm": {
			pass: []func(*pass){func(p *pass) { p.config.Algorithms = []string{"md5", "sha256"} }},
			do: func(s *store) sweep.Item {
				s.userFile("a", "sha256", strings.Repeat("0", 64))
				return listed(s.putRecorded("a", "one"))
			},
			state: sweep.Mismatch, sum: "one", reason: "a.sha256 says sha256 0000", opened: 2, touched: 5, announced: true,
		},
		"with a user's file that is put right meanwhile": {
			do: func(s *store) sweep.Item {
				s.userFile("a", "md5", md5sum("two"))
				s.onStat = func() { s.userFile("a", "md5", md5sum("one")) }
				return listed(s.put("a", "one"))
			},
			state: sweep.NoRecord, sum: "one", reason: "is right", opened: 3, touched: 10,
		},
		"by records only, with a user's file that has more in it": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				s.userFile("a", "md5", md5sum("one"))
				s.files["a"][0].Adoptable = false
				return listed(s.put("a", "one"))
			},
			state: sweep.NoRecord, reason: "backfill leaves it alone: move it away, then run backfill", touched: 3,
		},
		"by records only, with a user's file": {
			pass:  []func(*pass){recordsOnly},
			do:    func(s *store) sweep.Item { s.userFile("a", "md5", md5sum("two")); return listed(s.put("a", "one")) },
			state: sweep.NoRecord, reason: "nothing was read", touched: 3,
		},
		"by records only, with a user's file that contradicts a claim in the listing": {
			pass: []func(*pass){recordsOnly},
			do: func(s *store) sweep.Item {
				s.userFile("a", "md5", md5sum("two"))
				i := listed(s.put("a", "one"))
				i.Claims = etagOf("one")
				return i
			},
			state: sweep.Mismatch, reason: "etag says md5 " + md5sum("one") + ", a.md5 " + md5sum("two"), touched: 3, announced: true,
		},
	} {
		t.Run(name, tc.run)
	}
}
