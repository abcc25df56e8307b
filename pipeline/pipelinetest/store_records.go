package pipelinetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// version returns an object as in an event.
func (s *storeTest) version(key, etag, sequencer string) pipeline.Object {
	return pipeline.Object{Bucket: s.Name, Key: key, ETag: etag, Sequencer: sequencer}
}

func testSaveAndLookup(s *storeTest) {
	b := s.Open(s.T)
	s.unrecorded(b, "a")
	for i, o := range []pipeline.Object{
		s.version("a", "e1", "01"),
		s.version("no/sequencer", "e1", ""),
		{Bucket: s.Name, Key: "versioned", ETag: "e1", VersionID: "v1", Sequencer: "01"},
	} {
		want := only(record(o, strings.Repeat("x", i)), "md5")
		s.save(b, want)
		s.recorded(b, want)
		s.recorded(s.Open(s.T), want) // by another process
		s.holds(s.RecordKey(o.Key, "md5"), want.Digests["md5"]+"  "+o.Key[strings.LastIndex(o.Key, "/")+1:]+"\n")
	}
	// No other keys.
	want := []string{s.RecordKey("a", "md5"), s.RecordKey("no/sequencer", "md5"), s.RecordKey("versioned", "md5")}
	slices.Sort(want)
	got := s.Keys(s.T)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("keys (-want +got):\n%s", diff)
	}
}

func testSaveAgain(s *storeTest) {
	b := s.Open(s.T)
	first := only(record(s.version("a", "e1", "02"), "content"), "md5")
	s.save(b, first)
	again := first
	again.ComputedAt = computed.AddDate(1, 0, 0)
	for _, sequencer := range []string{"02", "", "01", "03"} { // the same content was put twice
		again.Source.Sequencer = sequencer
		s.save(b, again)
		s.recorded(b, first) // it was not written again
	}
}

// The record keeps the checks as far as readers need them, and a new mismatch is added to
// it.
func testChecks(s *storeTest) {
	b := s.Open(s.T)
	want := only(record(s.version("a", "e1", "01"), "content"), "md5")
	s.save(b, want)
	want.Checks = []pipeline.Check{
		{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Match}},
		{Name: "md5chksum", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Mismatch}},
	}
	full := want
	full.Checks = append([]pipeline.Check{
		{Name: "new", Algorithm: "new", Verdict: digest.Verdict{Outcome: digest.Unchecked, Reason: "unknown"}},
	}, want.Checks...)
	full.Checks[2].Claimed, full.Checks[2].Computed = "00", "01"
	s.save(b, full)
	s.recorded(s.Open(s.T), want)
}

// A record is renewed with the time at which its object was found right, and stays as it is otherwise. A new version was
// not verified yet.
func testVerifiedAt(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	want := record(s.version("a", "e1", "01"), "content")
	s.save(b, want)
	text := map[string]string{}
	for alg := range want.Digests {
		text[alg], _ = s.Get(s.T, s.RecordKey("a", alg))
	}
	for _, days := range []int{1, 30, 365} {
		want.VerifiedAt = computed.AddDate(0, 0, days)
		s.save(b, want)
		s.recorded(s.Open(s.T, "md5", "sha256"), want)
		late := want
		late.VerifiedAt = late.VerifiedAt.Add(-1)
		s.save(b, late)
		s.recorded(b, want)
		for alg := range want.Digests {
			s.holds(s.RecordKey("a", alg), text[alg])
		}
	}
	newer := record(s.version("a", "e2", "02"), "content")
	s.save(b, newer)
	s.recorded(b, newer)
}

func testSaveNewer(s *storeTest) {
	b := s.Open(s.T)
	s.save(b, record(s.version("a", "e1", "1F"), "old"))
	newer := only(record(s.version("a", "e2", "1F00A"), "newer"), "md5")
	s.save(b, newer)
	s.recorded(b, newer)
}

// A record that was written since the look is not replaced and not removed, whatever its sequencer is.
func testSaveAfterOthers(s *storeTest) {
	b, other := s.Open(s.T), s.Open(s.T)
	late := record(s.version("a", "e1", "09"), "late")
	_, nothing, err := b.Records.Lookup(s.Context(), late.Source)
	s.isClass(err, pipeline.ClassTransient, pipeline.ErrNotFound)
	first := only(record(s.version("a", "e2", "02"), "first"), "md5")
	s.save(other, first)
	for name, seen := range map[string]pipeline.Seen{"nothing": nothing, "no look": nil} {
		if err := b.Records.Save(s.Context(), late, seen); !errors.Is(err, pipeline.ErrChanged) {
			s.Errorf("Save after %s was seen: %v, want ErrChanged", name, err)
		}
	}
	s.recorded(b, first)
	_, seen, err := b.Records.Lookup(s.Context(), late.Source)
	if err != nil {
		s.Fatal(err)
	}
	second := only(record(s.version("a", "e3", "01"), "second"), "md5")
	s.save(other, second)
	if err := b.Records.Save(s.Context(), late, seen); !errors.Is(err, pipeline.ErrChanged) {
		s.Errorf("Save after another record was seen: %v, want ErrChanged", err)
	}
	if !s.RemovesAnything {
		if removed, err := b.Records.Remove(s.Context(), late.Source, seen); removed || !errors.Is(err, pipeline.ErrChanged) {
			s.Errorf("Remove after another record was seen: %v, %v, want ErrChanged", removed, err)
		}
	}
	s.recorded(b, second)
	s.removes(other, late.Source, true)
	if err := b.Records.Save(s.Context(), late, seen); !errors.Is(err, pipeline.ErrChanged) {
		s.Errorf("Save after the record was removed: %v, want ErrChanged", err)
	}
	s.unrecorded(b, "a")
}

// The last record wins, with and without sequencers.
func testSaveUnordered(s *storeTest) {
	b := s.Open(s.T)
	s.save(b, record(s.version("a", "e1", ""), "one"))
	last := only(record(s.version("a", "e2", ""), "two"), "md5")
	s.save(b, last)
	s.recorded(b, last)
	last = only(record(s.version("a", "e3", "01"), "three"), "md5")
	s.save(b, last)
	s.recorded(b, last)
	last = only(record(s.version("a", "e4", "00"), "four"), "md5")
	s.save(b, last)
	s.recorded(b, last)
}

// Several processes handle events of one key at the same time, in any order.
func testSaveConcurrently(s *storeTest) {
	const versions = 24
	buckets := []pipeline.Bucket{s.Open(s.T), s.Open(s.T)}
	if s.Unconditional {
		buckets[1] = buckets[0]
	}
	for round := range 4 {
		key := fmt.Sprintf("key%d", round)
		var wg sync.WaitGroup
		var saved sync.Map
		for n := range versions {
			wg.Go(func() {
				r := record(s.version(key, fmt.Sprintf("e%d", n), fmt.Sprintf("%02d", n)), fmt.Sprint(n))
				switch err := Save(s.Context(), buckets[n%2].Records, r); {
				case err == nil:
					saved.Store(r.Source.ETag, only(r, "md5"))
				case !errors.Is(err, pipeline.ErrChanged):
					s.Errorf("Save of version %d: %v", n, err)
				}
			})
			wg.Go(func() {
				if _, _, err := buckets[n%2].Records.Lookup(s.Context(), s.object(key)); err != nil && !errors.Is(err, pipeline.ErrNotFound) {
					s.Errorf("Lookup: %v", err)
				}
			})
			wg.Go(func() {
				// A user never sees a part of a record.
				line, ok := s.Get(s.T, s.RecordKey(key, "md5"))
				if ok && (len(line) != 32+2+len(key)+1 || !strings.HasSuffix(line, "  "+key+"\n")) {
					s.Errorf("a user finds %q", line)
				}
			})
		}
		wg.Wait()
		last, _, err := buckets[0].Records.Lookup(s.Context(), s.object(key))
		if err != nil {
			s.Fatal(err)
		}
		want, ok := saved.Load(last.Source.ETag)
		if diff := cmp.Diff(want, any(last)); !ok || diff != "" {
			s.Errorf("the record is not one that was saved (-want +got):\n%s", diff)
		}
	}
}

func testAlgorithms(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	want := record(s.version("a", "e1", "01"), "content")
	s.save(b, only(want, "md5"))
	s.recorded(b, only(want, "md5"))
	s.save(b, want)
	s.recorded(b, want)
	s.recorded(s.Open(s.T, "sha256"), only(want, "sha256"))
}

// Records that were written while other algorithms were configured must not outlive their
// content.
func testAlgorithmsChange(s *storeTest) {
	former, b := s.Open(s.T, "md5", "blake3"), s.Open(s.T, "sha256")
	old := record(s.version("a", "e1", "01"), "old")
	s.save(former, old)
	s.save(b, old)
	s.recorded(former, only(old, "md5")) // it is of the same version
	newer := record(s.version("a", "e2", "02"), "newer")
	s.save(b, newer)
	s.unrecorded(former, "a")
	s.recorded(b, only(newer, "sha256"))
	s.holdsNothing(s.RecordKey("a", "md5"))

	// A file of the user stays.
	s.Put(s.T, s.RecordKey("a", "sha1"), "user's own\n")
	s.save(b, record(s.version("a", "e3", "03"), "late"))
	s.holds(s.RecordKey("a", "sha1"), "user's own\n")
	s.save(former, record(s.version("a", "e3", "03"), "late"))

	// With the object all records are removed.
	s.removes(b, s.version("a", "", "05"), true)
	s.unrecorded(former, "a")
	s.unrecorded(b, "a")
	s.holds(s.RecordKey("a", "sha1"), "user's own\n")
	s.save(former, record(s.version("b", "e1", "01"), "content"))
	s.removes(b, s.version("b", "", "02"), true)
	s.holdsNothing(s.RecordKey("b", "md5"))
}

// The process died between the records of two algorithms.
func testMixedVersions(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	old := record(s.version("a", "e1", "01"), "old")
	newer := record(s.version("a", "e2", "02"), "newer")
	newer.ComputedAt = computed.Add(time.Second)
	s.save(b, old)
	s.save(b, only(newer, "md5"))
	s.recorded(b, only(newer, "md5"))
	s.save(b, newer)
	s.recorded(b, newer)

	s.save(b, only(record(s.version("b", "e1", "01"), "old"), "md5", "sha256"))
	newer = only(record(s.version("b", "e2", "02"), "newer"), "sha256")
	newer.ComputedAt = computed.Add(time.Second)
	s.save(b, newer)
	s.recorded(b, newer)
}

func testRemove(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	o := s.version("dir/a", "e1", "01")
	s.removes(b, o, false)
	s.save(b, record(o, "content"))
	s.removes(b, s.version("dir/a", "", "02"), true)
	s.unrecorded(b, "dir/a")
	s.removes(b, o, false)
	if keys := s.Keys(s.T); len(keys) != 0 {
		s.Errorf("left behind: %q", keys)
	}
	// The object is put back, even by an older event.
	want := record(s.version("dir/a", "e0", "00"), "again")
	s.save(b, want)
	s.recorded(b, want)
	s.removes(b, s.object("dir/a"), true) // a source without sequencers
}

// Files of the user stay.
func testUsersFile(s *storeTest) {
	b := s.Open(s.T)
	for key, content := range map[string]string{"a": "user's own\n", "dir/b": "", "c": strings.Repeat("long", 100_000)} {
		file := s.RecordKey(key, "md5")
		s.Put(s.T, file, content)
		o := s.version(key, "e1", "01")
		s.unrecorded(b, key)
		err := Save(s.Context(), b.Records, record(o, "content"))
		s.isClass(err, pipeline.ClassPermanent, nil)
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "did not write") {
			s.Errorf("the error does not name the file: %v", err)
		}
		s.removes(b, o, false)
		s.unrecorded(b, key)
		s.holds(file, content)
	}
}

func testUsersFileAmongSeveral(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	s.Put(s.T, s.RecordKey("a", "md5"), "user's own\n")
	r := record(s.version("a", "e1", "01"), "content")
	s.isClass(Save(s.Context(), b.Records, r), pipeline.ClassPermanent, nil)
	want := only(r, "sha256")
	want.UserFiles = []pipeline.UserFile{{Key: s.RecordKey("a", "md5"), Algorithm: "md5"}}
	s.recorded(b, want)
	s.removes(b, r.Source, true)
	s.holds(s.RecordKey("a", "md5"), "user's own\n")
}

func testUserReplacesRecord(s *storeTest) {
	b := s.Open(s.T)
	s.save(b, record(s.version("a", "e1", "01"), "content"))
	s.Put(s.T, s.RecordKey("a", "md5"), "user's own\n")
	s.unrecorded(b, "a")
	s.isClass(Save(s.Context(), b.Records, record(s.version("a", "e2", "02"), "other")), pipeline.ClassPermanent, nil)
	s.removes(b, s.version("a", "", "03"), false)
	s.holds(s.RecordKey("a", "md5"), "user's own\n")
}

func testUserDeletesRecord(s *storeTest) {
	b := s.Open(s.T)
	r := only(record(s.version("a", "e2", "02"), "content"), "md5")
	s.save(b, r)
	s.Delete(s.T, s.RecordKey("a", "md5"))
	s.unrecorded(b, "a")
	s.save(b, r)
	s.recorded(b, r)

	s.Delete(s.T, s.RecordKey("a", "md5"))
	s.removes(b, s.version("a", "", "03"), false)
	older := only(record(s.version("a", "e1", "01"), "older"), "md5")
	s.save(b, older) // the newer record is gone
	s.recorded(b, older)
}

// Every key that has the form of a record is a record, for all algorithms, configured or
// not, and by any writer.
func testIsRecord(s *storeTest) {
	b := s.Open(s.T, "sha256")
	for _, key := range append(oddNames, "/slash", "//", "/", "a/", "a//b") {
		for _, alg := range []string{"md5", "sha256", "crc64nvme"} {
			record := s.RecordKey(key, alg)
			if !b.Records.IsRecord(record) {
				s.Errorf("IsRecord(%q) is false", record)
			}
			if twice := s.RecordKey(record, alg); !b.Records.IsRecord(twice) {
				s.Errorf("IsRecord(%q) is false", twice)
			}
		}
	}
}

func testMd5sumChecks(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	files := s.download()
	for key, content := range map[string]string{"a": "", "dir/b c": "content\n", "bin": "\x00\xff\r\n"} {
		s.save(b, record(s.put(b, key, content), content))
		files.add(s, key, content, "md5", "sha256")
	}
	files.check(s)
}
