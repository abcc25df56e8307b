package pipelinetest

import (
	"errors"
	"io"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

func testRead(s *storeTest) {
	b := s.Open(s.T)
	for name, content := range map[string]string{"empty": "", "small": "content\n", "large": strings.Repeat("0123456789abcdef", 1<<16)} {
		want := s.put(b, name, content)
		if want.ETag == "" || strings.Contains(want.ETag, `"`) {
			s.Errorf("%s: ETag %q", name, want.ETag)
		}
		if want.Size != int64(len(content)) {
			s.Errorf("%s: Size %d, want %d", name, want.Size, len(content))
		}
		want.Sequencer = "0A"
		got, o := s.read(b, want)
		if got != content {
			s.Errorf("%s: got %d bytes that differ from the %d that were put", name, len(got), len(content))
		}
		if diff := cmp.Diff(want, o); diff != "" {
			s.Errorf("%s: opened object (-want +got):\n%s", name, diff)
		}
	}
}

// An object without a version means the current one.
func testReadCurrent(s *storeTest) {
	b := s.Open(s.T)
	want := s.put(b, "a", "content")
	content, got := s.read(b, s.object("a"))
	if content != "content" {
		s.Errorf("got %q", content)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("opened object (-want +got):\n%s", diff)
	}
}

func testReadChanged(s *storeTest) {
	b := s.Open(s.T)
	old := s.put(b, "a", "old")
	r, err := b.Source.Open(s.Context(), old)
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	s.Put(s.T, "a", "newer")

	// The read returns the old version or fails. It never returns a mixture.
	content, err := io.ReadAll(r)
	switch {
	case err == nil && string(content) != "old":
		s.Errorf("the pinned read gave %q", content)
	case err != nil && !errors.Is(err, pipeline.ErrChanged):
		s.Errorf("the pinned read failed with %v, want ErrChanged", err)
	}
	if s.Versions {
		if content, o := s.read(b, old); content != "old" || !o.SameVersion(old) {
			s.Errorf("the old version has the content %q and is %v", content, o)
		}
	} else {
		_, err = b.Source.Open(s.Context(), old)
		s.isClass(err, pipeline.ClassTransient, pipeline.ErrChanged)
	}
	if now := s.stat(b, "a"); now.SameVersion(old) {
		s.Errorf("Stat returned the old version: %v", now)
	}
}

func testReadMissing(s *storeTest) {
	b := s.Open(s.T)
	gone := s.put(b, "dir/a", "content")
	s.Delete(s.T, "dir/a")
	for _, o := range []pipeline.Object{gone, s.object("dir/a"), s.object("never"), s.object("no/such/folder")} {
		_, err := b.Source.Stat(s.Context(), o)
		s.isClass(err, pipeline.ClassTransient, pipeline.ErrNotFound)
		_, err = b.Source.Open(s.Context(), o)
		s.isClass(err, pipeline.ClassTransient, pipeline.ErrNotFound)
	}
}

func testReadUnaddressable(s *storeTest) {
	b := s.Open(s.T)
	for _, key := range []string{"", "\xff", "a\xc3/b"} {
		_, err := b.Source.Stat(s.Context(), s.object(key))
		s.isClass(err, pipeline.ClassPermanent, nil)
		_, err = b.Source.Open(s.Context(), s.object(key))
		s.isClass(err, pipeline.ClassPermanent, nil)
	}
}

func testOddNames(s *storeTest) {
	b := s.Open(s.T, "md5", "sha256")
	files := s.download()
	for _, key := range append(oddNames, strings.Repeat("n", 248)) {
		if s.Holds != nil && !s.Holds(key) {
			_, err := b.Source.Open(s.Context(), s.object(key))
			s.isClass(err, pipeline.ClassPermanent, nil)
			continue
		}
		o := s.put(b, key, key)
		o.Sequencer = "1"
		content, read := s.read(b, o)
		if content != key || read.Key != key {
			s.Errorf("%q: got object %q with content %q", key, read.Key, content)
		}
		want := record(read, content)
		s.save(b, want)
		s.recorded(b, want)
		if b.Records.IsRecord(key) || !b.Records.IsRecord(s.RecordKey(key, "md5")) {
			s.Errorf("%q: IsRecord is true for an object, or false for its record", key)
		}
		files.add(s, key, content, "md5", "sha256")
		s.removes(b, o, true)
		s.unrecorded(b, key)
		s.holds(key, content)
		s.Delete(s.T, key)
	}
	if keys := s.Keys(s.T); len(keys) != 0 {
		s.Errorf("left behind: %q", keys)
	}
	files.check(s)
}
