package output_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

var begun = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

const (
	helloMD5 = "5d41402abc4b2a76b9719d911017c592"
	otherMD5 = "d41d8cd98f00b204e9800998ecf8427e"
)

func ptr[T any](v T) *T { return &v }

// hostile are names that no terminal and no page may get as they are.
var hostile = []string{
	"a\x1b[31mred\x1b]0;title\x07", "line\nbreak", "\u202egpj.exe", "c1\u009b31m", "</bdi></td><script>alert(1)</script>",
	`" onmouseover="alert(1)`, "]]><!--", "a\xffb", "\u2028", "del\x7f", "\U000e0041tag",
}

// faults are rows of each state. The hostile name is one that makes every kind of trouble.
func faults() []sweep.Row {
	modified := time.Date(2025, 12, 24, 18, 0, 0, 0, time.UTC)
	row := func(state sweep.State, key string) sweep.Row {
		return sweep.Row{Bucket: "photos", Key: key, State: state, Size: ptr(int64(1 << 20)), Modified: &modified}
	}
	mismatch := row(sweep.Mismatch, "a/mismatch & more.jpg")
	mismatch.Checksums = map[string]string{"md5": helloMD5, "crc32c": "aabbccdd"}
	mismatch.Expected = map[string]string{"md5": otherMD5, "crc32c": "00bbccdd"}
	mismatch.Read, mismatch.Class = 1<<20, "STANDARD_IA"
	stale := row(sweep.Stale, "b/stale.jpg")
	stale.Reason = "the record is of the version with ETag \"abc\""
	none := row(sweep.NoRecord, hostile[0])
	orphan := sweep.Row{Bucket: "photos", Key: "d/orphan.jpg", State: sweep.Orphan, At: "d/orphan.jpg.md5"}
	unreadable := row(sweep.Unreadable, "e/unreadable.jpg")
	unreadable.Reason = "GET \x1b[2J: AccessDenied; allow s3:GetObject"
	archived := row(sweep.Archived, "f/archived.jpg")
	archived.Class = "GLACIER"
	return []sweep.Row{mismatch, stale, none, orphan, unreadable, archived}
}

// listed are rows of a comparison with a list.
func listed() []sweep.Row {
	moved := sweep.Row{Bucket: "photos", Key: "new name", State: sweep.Moved, From: "old\nname", Size: ptr(int64(5))}
	missing := sweep.Row{Bucket: "photos", Key: "gone", State: sweep.Missing, Expected: map[string]string{"md5": helloMD5}}
	return []sweep.Row{moved, {Bucket: "photos", Key: "extra", State: sweep.New, Size: ptr(int64(7))}, missing}
}

// good are rows of objects that are as they should be.
func good(n int, state sweep.State) []sweep.Row {
	all := make([]sweep.Row, n)
	for i := range all {
		all[i] = sweep.Row{
			Bucket: "photos", Key: filepath.Join("good", time.Duration(i).String()), State: state, Size: ptr(int64(4 << 20)), Read: 4 << 20,
			Modified: ptr(begun.AddDate(0, -i%30, 0)), Checksums: map[string]string{"md5": helloMD5},
		}
	}
	return all
}

func pass(command sweep.Command) output.Pass {
	return output.Pass{Command: command, Name: "20260301t080000z", Buckets: []string{"photos"}, Version: "1.2.3", Begun: begun}
}

func ended() output.End { return output.End{At: begun.Add(2*time.Minute + 3*time.Second)} }

// run gives rows to a sink and closes it.
func run(t testing.TB, s output.Sink, e output.End, rows ...sweep.Row) {
	t.Helper()
	for _, r := range rows {
		if err := s.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(e); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
