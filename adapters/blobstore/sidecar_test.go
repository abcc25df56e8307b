package blobstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

var someObject = pipeline.Object{Bucket: "inbox", Key: "dir/a"}

// checkRecord checks that a record from a sidecar is usable.
func checkRecord(t *testing.T, s *sidecar) {
	t.Helper()
	r, ok := s.record(someObject, "md5")
	switch {
	case !ok && (r.Digests != nil || r.Source != pipeline.Object{}):
		t.Errorf("no record, and yet %+v", r)
	case !ok:
	case !s.ours():
		t.Errorf("a record that bucketsum did not write: %+v", r)
	case r.Source.Size < 0, len(r.Digests) != 1, !digest.Valid("md5", r.Digests["md5"]),
		r.Source.Bucket != someObject.Bucket, r.Source.Key != someObject.Key:
		t.Errorf("%+v of %q", r, s.line)
	}
	newer := someObject
	newer.Sequencer = "02"
	_ = s.says(s, newer, "md5")
}

func TestHostileSidecars(t *testing.T) {
	good := newSidecar(pipeline.Record{
		Source:     pipeline.Object{Bucket: "inbox", Key: "dir/a", ETag: "e", Size: 3, Sequencer: "01", VersionID: "v"},
		ComputedAt: time.Unix(1, 2),
	}, strings.Repeat("0", 32))
	if r, ok := good.record(someObject, "md5"); !ok || r.Source.ETag != "e" || r.Source.Size != 3 || !r.ComputedAt.Equal(time.Unix(1, 2)) {
		t.Fatalf("got %+v, %v", r, ok)
	}
	for name, spoil := range map[string]func(s *sidecar){
		"no metadata":      func(s *sidecar) { s.metadata = nil },
		"other marker":     func(s *sidecar) { s.metadata[metaMarker] = "rclone" },
		"no source key":    func(s *sidecar) { delete(s.metadata, metaKey) },
		"of another":       func(s *sidecar) { s.metadata[metaKey] = "b" },
		"no size":          func(s *sidecar) { delete(s.metadata, metaSize) },
		"negative size":    func(s *sidecar) { s.metadata[metaSize] = "-1" },
		"no time":          func(s *sidecar) { s.metadata[metaComputed] = "yesterday" },
		"empty":            func(s *sidecar) { s.line = "" },
		"no line":          func(s *sidecar) { s.line = "0000" },
		"another name":     func(s *sidecar) { s.line = strings.Repeat("0", 32) + "  b\n" },
		"two lines":        func(s *sidecar) { s.line += s.line },
		"another checksum": func(s *sidecar) { s.line = strings.Repeat("0", 40) + "  a\n" },
	} {
		s := &sidecar{line: good.line, metadata: make(map[string]string)}
		for k, v := range good.metadata {
			s.metadata[k] = v
		}
		spoil(s)
		if r, ok := s.record(someObject, "md5"); ok {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestRememberedChecks(t *testing.T) {
	check := func(name, algorithm string, outcome digest.Outcome) pipeline.Check {
		return pipeline.Check{Name: name, Algorithm: algorithm, Verdict: digest.Verdict{Outcome: outcome}}
	}
	etag, crc := check("etag", "md5", digest.Match), check("x-amz-checksum-crc32c", "crc32c", digest.Match)
	wrong, odd := check("md5chksum", "md5", digest.Mismatch), check("odd", "odd", digest.Unchecked)
	for name, tc := range map[string]struct {
		checks   []pipeline.Check
		metadata map[string]string
		remember []pipeline.Check
	}{
		"none":     {},
		"match":    {[]pipeline.Check{etag, odd, crc}, map[string]string{metaVerified: "match", metaVerifiedAgainst: "etag md5, x-amz-checksum-crc32c crc32c"}, []pipeline.Check{etag, crc}},
		"mismatch": {[]pipeline.Check{wrong}, map[string]string{metaVerified: "mismatch", metaMismatchWith: "md5chksum md5"}, []pipeline.Check{wrong}},
		"both": {[]pipeline.Check{wrong, etag}, map[string]string{metaVerified: "mismatch", metaVerifiedAgainst: "etag md5", metaMismatchWith: "md5chksum md5"},
			[]pipeline.Check{etag, wrong}},
		"nothing that could be checked": {checks: []pipeline.Check{odd}},
	} {
		s := newSidecar(pipeline.Record{Source: someObject, ComputedAt: time.Unix(1, 2), Checks: tc.checks}, strings.Repeat("0", 32))
		for _, key := range []string{metaVerified, metaVerifiedAgainst, metaMismatchWith} {
			if s.metadata[key] != tc.metadata[key] {
				t.Errorf("%s: %s is %q, want %q", name, key, s.metadata[key], tc.metadata[key])
			}
		}
		r, ok := s.record(someObject, "md5")
		if diff := cmp.Diff(tc.remember, r.Checks); !ok || diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
	if got := rememberedChecks(map[string]string{metaVerifiedAgainst: ",,x, , a b c"}); len(got) != 1 {
		t.Errorf("of garbage: %v", got)
	}
}

func FuzzSidecar(f *testing.F) {
	f.Add(strings.Repeat("0", 32)+"  a\n", marker, "e", "3", "01", "2025-03-14T15:09:26.5Z")
	f.Add("\\"+strings.Repeat("f", 32)+" *\\n\n", marker, "", "-1", "", "")
	f.Add("MD5 (a) = "+strings.Repeat("f", 32), marker, "", "99999999999999999999", "\x00", "0000-00-00T00:00:00Z")
	f.Fuzz(func(t *testing.T, line, written, etag, size, sequencer, computed string) {
		checkRecord(t, &sidecar{line: line, metadata: map[string]string{
			metaMarker: written, metaKey: someObject.Key, metaETag: etag, metaSize: size, metaSequencer: sequencer, metaComputed: computed,
		}})
	})
}

func TestAsterisk(t *testing.T) {
	for _, name := range []string{"a", "b *c", "  d", "*", `e\\f`} {
		for _, prefix := range []string{"", `\`} {
			line := prefix + strings.Repeat("0", 32) + "  " + name + "\n"
			if marked := withAsterisk(line); marked != prefix+strings.Repeat("0", 32)+" *"+name+"\n" {
				t.Errorf("%q becomes %q", line, marked)
			}
		}
	}
}

func TestJoined(t *testing.T) {
	changed, broken, transient := pipeline.ErrChanged, pipeline.Permanent(errPlain("broken")), errPlain("later")
	for _, errs := range [][]error{{changed, broken, transient}, {transient, nil, broken, changed}, {broken, transient, changed}} {
		err := joined(errs)
		if pipeline.Classify(err) != pipeline.ClassTransient || errors.Is(err, pipeline.ErrChanged) {
			t.Errorf("%v is not the transient one", err)
		}
		for _, e := range []error{changed, broken, transient} {
			if !strings.Contains(err.Error(), e.Error()) {
				t.Errorf("%v does not tell of %v", err, e)
			}
		}
	}
	if err := joined([]error{broken, changed}); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("%v does not ask for another look", err)
	}
	if err := joined([]error{nil, nil}); err != nil {
		t.Errorf("got %v", err)
	}
}

type errPlain string

func (e errPlain) Error() string { return string(e) }
