package pipelinetest

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// storeTest is one part of the suite.
type storeTest struct {
	*testing.T
	Store
}

// oddNames are names that stores and tools are known to get wrong.
var oddNames = []string{
	"plain.txt",
	"with space", " leading", "trailing ", "two  spaces",
	`quo"te's`, `back\slash`, `\leading`, `ends\`, "star*", "?", "#%25&+", "100%",
	"dash-first/-n", "~tilde", ".hidden", "..dots", "dots..", "dots../inside", "...",
	"new\nline", "\n", "carriage\rreturn", "tab\t", "\x01\x1f", "\x7f", "esc\x1b[31m",
	"__0x41__", "__0x2f__a", "__0xzz__", "a__0x", "b__0x2f/b", "b__0x2f_/b", "x.attrs", "x.attrs/y", ".attrs",
	"deep/er/and/deep/er", "ü/ß/日本語", "e\u0301", "\u202egnp", "\u2028", "\ufffd", "😀",
	"a.md5.txt", "md5", ".md5x", "a.MD5", "a.md5/b", "{key}", "{dir}/{base}.{alg}", "%s%d", "CON", "a:b", "a|b<c>",
}

func (s *storeTest) object(key string) pipeline.Object {
	return pipeline.Object{Bucket: s.Name, Key: key, Size: pipeline.UnknownSize}
}

// put stores an object and returns its state in the store.
func (s *storeTest) put(b pipeline.Bucket, key, content string) pipeline.Object {
	s.Helper()
	s.Put(s.T, key, content)
	return s.stat(b, key)
}

func (s *storeTest) stat(b pipeline.Bucket, key string) pipeline.Object {
	s.Helper()
	o, err := b.Source.Stat(s.Context(), s.object(key))
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// read opens the object and returns its content.
func (s *storeTest) read(b pipeline.Bucket, o pipeline.Object) (string, pipeline.Object) {
	s.Helper()
	r, err := b.Source.Open(s.Context(), o)
	if err != nil {
		s.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		s.Fatal(err)
	}
	return string(content), r.Object()
}

var computed = time.Date(2025, 3, 14, 15, 9, 26, 535_000_000, time.UTC)

// record returns the record of an object with the given content.
func record(o pipeline.Object, content string) pipeline.Record {
	o.Size = int64(len(content))
	md5, sha256 := md5.Sum([]byte(content)), sha256.Sum256([]byte(content))
	return pipeline.Record{
		Source:     o,
		Digests:    map[string]string{"md5": hex.EncodeToString(md5[:]), "sha256": hex.EncodeToString(sha256[:])},
		ComputedAt: computed,
	}
}

// only returns the record with only these algorithms.
func only(r pipeline.Record, algorithms ...string) pipeline.Record {
	digests := make(map[string]string)
	for _, alg := range algorithms {
		digests[alg] = r.Digests[alg]
	}
	r.Digests = digests
	return r
}

// Save looks at the record of the object and replaces it, whatever it is.
func Save(ctx context.Context, records pipeline.Recorder, r pipeline.Record) error {
	_, seen, err := records.Lookup(ctx, r.Source)
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return err
	}
	return records.Save(ctx, r, seen)
}

// Remove looks at the record of the object and removes it.
func Remove(ctx context.Context, records pipeline.Recorder, o pipeline.Object) (bool, error) {
	_, seen, err := records.Lookup(ctx, o)
	if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
		return false, err
	}
	return records.Remove(ctx, o, seen)
}

func (s *storeTest) save(b pipeline.Bucket, r pipeline.Record) {
	s.Helper()
	if err := Save(s.Context(), b.Records, r); err != nil {
		s.Fatalf("Save: %v", err)
	}
}

// recorded asserts that Lookup returns the record.
func (s *storeTest) recorded(b pipeline.Bucket, want pipeline.Record) {
	s.Helper()
	got, _, err := b.Records.Lookup(s.Context(), s.object(want.Source.Key))
	if err != nil {
		s.Fatalf("Lookup: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("Lookup (-want +got):\n%s", diff)
	}
}

// unrecorded asserts that Lookup finds no record.
func (s *storeTest) unrecorded(b pipeline.Bucket, key string) {
	s.Helper()
	if r, _, err := b.Records.Lookup(s.Context(), s.object(key)); !errors.Is(err, pipeline.ErrNotFound) {
		s.Errorf("Lookup: got %v, %v; want ErrNotFound", r, err)
	}
}

// finds asserts that an object has no record, and what files of users are in its place.
func (s *storeTest) finds(b pipeline.Bucket, key string, want ...pipeline.UserFile) {
	s.Helper()
	s.unrecorded(b, key)
	r, _, _ := b.Records.Lookup(s.Context(), s.object(key))
	if diff := cmp.Diff(want, r.UserFiles); diff != "" {
		s.Errorf("Lookup found files of users (-want +got):\n%s", diff)
	}
}

// removes asserts the result of Remove.
func (s *storeTest) removes(b pipeline.Bucket, o pipeline.Object, want bool) {
	s.Helper()
	if removed, err := Remove(s.Context(), b.Records, o); err != nil || removed != want {
		s.Errorf("Remove: got %v, %v; want %v", removed, err, want)
	}
}

// holds asserts the content that a user finds at a key.
func (s *storeTest) holds(key, want string) {
	s.Helper()
	if got, ok := s.Get(s.T, key); !ok || got != want {
		s.Errorf("%q holds %q (found: %v), want %q", key, got, ok, want)
	}
}

// holdsNothing asserts that a user finds no object at a key.
func (s *storeTest) holdsNothing(key string) {
	s.Helper()
	if got, ok := s.Get(s.T, key); ok {
		s.Errorf("%q holds %q, want nothing", key, got)
	}
}

// isClass asserts the class of an error and, unless the sentinel is nil, that the error
// wraps it.
func (s *storeTest) isClass(err error, class pipeline.Class, sentinel error) {
	s.Helper()
	if got := pipeline.Classify(err); got != class {
		s.Errorf("got %v (%q), want one of class %q", err, got, class)
	}
	if sentinel != nil && !errors.Is(err, sentinel) {
		s.Errorf("got %v, want %v", err, sentinel)
	}
}

// download is what a user has downloaded: objects, and their records in one file for each
// algorithm.
type download struct {
	dir   string
	lines map[string]string // by algorithm
}

func (s *storeTest) download() *download {
	return &download{s.TempDir(), make(map[string]string)}
}

// add downloads an object and its records, unless it has the name of an earlier one.
func (d *download) add(s *storeTest, key, content string, algorithms ...string) {
	s.Helper()
	name := filepath.Join(d.dir, path.Base(key))
	if _, err := os.Lstat(name); err == nil {
		return
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		s.Fatal(err)
	}
	for _, alg := range algorithms {
		line, ok := s.Get(s.T, s.RecordKey(key, alg))
		if !ok {
			s.Errorf("%q: a user finds no %s record", key, alg)
		}
		d.lines[alg] += line
	}
}

// check lets the coreutils verify the downloaded objects against their records. Without
// coreutils it checks nothing, except in CI, where the test fails.
func (d *download) check(s *storeTest) {
	s.Helper()
	for alg, lines := range d.lines {
		tool := alg + "sum"
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				s.Error(err)
			}
			s.Log(err)
			continue
		}
		check := exec.CommandContext(s.Context(), tool, "--check", "--strict")
		check.Dir, check.Stdin = d.dir, strings.NewReader(lines)
		if out, err := check.CombinedOutput(); err != nil {
			s.Errorf("%s does not accept the records: %v\n%s\n%q", tool, err, out, lines)
		}
	}
}
