package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// versionedBucket is a bucket of S3 with three versions of a, and a deleted object with one. The current a has its
// record.
type versionedBucket struct {
	drivertest.S3Bucket
	a    []pipeline.Object // the oldest first
	gone pipeline.Object
}

func makeVersionedBucket(t *testing.T, server awsenv.Server) versionedBucket {
	t.Helper()
	server.Setenv(t)
	b := versionedBucket{S3Bucket: drivertest.MakeS3Bucket(t, server, true)}
	b.gone = b.Put(t, "gone", "deleted content")
	b.Delete(t, "gone", "")
	for n := range 3 {
		b.a = append(b.a, b.Put(t, "a", fmt.Sprintf("content %d", n)))
	}
	if _, log, status := sweepRun(t, "backfill", b.Address()); status != exitOK {
		t.Fatalf("backfill ends with %d: %s", status, log)
	}
	return b
}

// damage changes a byte of a version that is not current without the server's knowledge.
func (b versionedBucket) damage(t *testing.T, o pipeline.Object) {
	t.Helper()
	damaged := 0
	err := filepath.WalkDir(filepath.Join(filepath.Dir(b.Dir), "versions"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != o.VersionID {
			return err
		}
		damaged++
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("C"), 0)
		return errors.Join(err, f.Close())
	})
	if err != nil || damaged != 1 {
		t.Fatalf("%d files of version %s: %v", damaged, o.VersionID, err)
	}
}

// inventory is the text of an inventory of all versions.
func (b versionedBucket) inventory() string {
	list := "Bucket,Key,VersionId,IsLatest,IsDeleteMarker\n"
	for _, o := range append(b.a, b.gone) {
		list += fmt.Sprintf("%s,%s,%s,%t,false\n", b.Name, o.Key, o.VersionID, o == b.a[2])
	}
	return list + b.Name + ",gone,marker,true,true\n"
}

// found is what a test looks at of a row.
type found struct {
	State      sweep.State
	Noncurrent bool
	Reason     string
	Verified   bool
}

// versionsVerified runs verify --versions and returns its rows by key and version.
func versionsVerified(t *testing.T, args ...string) (map[string]found, string, int) {
	t.Helper()
	out, log, status := sweepRun(t, append([]string{"verify", "--versions", "--format", "json"}, args...)...)
	return rowsOfVersions(t, out), log, status
}

func rowsOfVersions(t *testing.T, out string) map[string]found {
	t.Helper()
	rows := make(map[string]found)
	for line := range strings.Lines(out) {
		var r sweep.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		name := r.Key + " " + r.VersionID
		if _, twice := rows[name]; twice {
			t.Errorf("%s has two rows", name)
		}
		if r.State != sweep.Orphan && r.Checksums["md5"] == "" {
			t.Errorf("%s has no checksum", name)
		}
		rows[name] = found{r.State, r.Noncurrent, r.Reason, r.VerifiedAt != nil}
	}
	return rows
}

func named(o pipeline.Object) string { return o.Key + " " + o.VersionID }

// TestVerifyVersions: every version has a row, and the one that is damaged is found. Delete markers and the versions of
// records have none.
func TestVerifyVersions(t *testing.T) {
	b := makeVersionedBucket(t, awsenv.StartVersitygw(t))
	want := map[string]found{
		named(b.a[2]): {sweep.OK, false, "", true}, named(b.a[1]): {sweep.OK, true, "", true},
		named(b.a[0]): {sweep.OK, true, "", true}, named(b.gone): {sweep.OK, true, "", true},
	}
	rows, log, status := versionsVerified(t, b.Address())
	if diff := cmp.Diff(want, rows); diff != "" || status != exitOK || !strings.Contains(log, "All 4 versions are as recorded or claimed.") {
		t.Errorf("verify ends with %d (-want +got):\n%s%s", status, diff, log)
	}
	inventory := filepath.Join(t.TempDir(), "inventory.csv")
	put(t, inventory, b.inventory())
	rows, log, status = versionsVerified(t, "--inventory", inventory, b.Address())
	if diff := cmp.Diff(want, rows); diff != "" || status != exitOK {
		t.Errorf("verify of an inventory ends with %d (-want +got):\n%s%s", status, diff, log)
	}
	pass := []string{"--reports", "file://" + t.TempDir(), "--pass", "parts", b.Address()}
	for _, part := range []string{"0", "1"} {
		if _, log, status := versionsVerified(t, append(pass, "--shards", "2", "--shard", part)...); status != exitOK {
			t.Errorf("part %s ends with %d:\n%s", part, status, log)
		}
	}
	rows, log, status = versionsVerified(t, pass...)
	if diff := cmp.Diff(want, rows); diff != "" || status != exitOK {
		t.Errorf("the parts together end with %d (-want +got):\n%s%s", status, diff, log)
	}

	b.damage(t, b.a[1])
	dir := t.TempDir()
	page, premis := filepath.Join(dir, "page.html"), filepath.Join(dir, "premis.xml")
	out, log, status := sweepRun(t, "verify", "--versions", "--report", page, "--premis", premis, b.Address())
	line := "mismatch    a: version " + b.a[1].VersionID + "; etag says md5 " + b.a[1].ETag + ", the content has "
	if status != exitFailed || !strings.HasPrefix(out, line) || strings.Count(out, "\n") != 1 || !strings.Contains(log, "1 of 4 versions needs attention.") {
		t.Errorf("verify of a damaged version ends with %d:\n%s%s", status, out, log)
	}
	for path, part := range map[string]string{page: "<p>version <code>" + b.a[1].VersionID + "</code></p>", premis: "/a?versionId=" + b.a[1].VersionID + "<"} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %q: %v", path, part, err)
		}
	}
	want[named(b.a[1])] = found{sweep.Mismatch, true, "", false}
	rows, _, _ = versionsVerified(t, b.Address())
	row := rows[named(b.a[1])]
	row.Reason = ""
	rows[named(b.a[1])] = row
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if states, status := verified(t, b.Address()); status != exitOK || len(states) != 1 {
		t.Errorf("verify without --versions ends with %d: %v", status, states)
	}
}

// TestVerifyVersionsWithoutClaims: a version about which the store states nothing is ok, which its row does not call
// verified.
func TestVerifyVersionsWithoutClaims(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeVersionedBucket(t, server)
	b.S3Bucket = b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(kms{w}, r)
	}))
	read := found{sweep.OK, true, "read; its store states no checksum to compare with", false}
	want := map[string]found{named(b.a[2]): {sweep.OK, false, "", true}, named(b.a[1]): read, named(b.a[0]): read, named(b.gone): read}
	rows, log, status := versionsVerified(t, b.Address())
	if diff := cmp.Diff(want, rows); diff != "" || status != exitOK || !strings.Contains(log, "or could be read without a claim to compare with (3)") {
		t.Errorf("verify ends with %d (-want +got):\n%s%s", status, diff, log)
	}
}

// kms makes answers those of a bucket with a KMS key, whose ETags are no checksums.
type kms struct{ http.ResponseWriter }

func (w kms) WriteHeader(status int) {
	for name := range w.Header() {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			w.Header().Del(name)
		}
	}
	w.Header().Set("X-Amz-Server-Side-Encryption", "aws:kms")
	w.ResponseWriter.WriteHeader(status)
}

// TestVerifyVersionsResumes: a pass that is interrupted among the versions of a key reads each of them once.
func TestVerifyVersionsResumes(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeVersionedBucket(t, server)
	want := []string{named(b.gone), named(b.a[0]), named(b.a[1]), named(b.a[2])}
	for n := range 9 {
		want = append(want, named(b.Put(t, "a", fmt.Sprintf("more %d", n))))
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var reads atomic.Int64
	b.S3Bucket = b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && r.URL.Query().Has("versionId") && reads.Add(1) == 6 {
			interrupt()
		}
		next.ServeHTTP(w, r)
	}))
	args := []string{"verify", "--versions", "--format", "json", "--concurrency", "1", "--reports", "file://" + t.TempDir(), b.Address()}
	none := func(string) string { return "" }
	out, log, status := sweepRunWith(t, ctx, none, args...)
	if n := strings.Count(out, "\n"); status != exitFailed || n < 6 || n > 8 || !strings.Contains(log, "Stopped early") {
		t.Fatalf("interrupted: %d, %d rows:\n%s", status, n, log)
	}
	out, log, status = sweepRunWith(t, t.Context(), none, args...)
	var got []string
	for name := range rowsOfVersions(t, out) {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || status != exitFailed { // the current one is stale
		t.Errorf("resumed: %d (-want +got):\n%s%s", status, diff, log)
	}
	if got := reads.Load(); got != 12 {
		t.Errorf("older versions were read %d times, want 12", got)
	}
}

// TestVerifyVersionsByQueue: workers examine the versions.
func TestVerifyVersionsByQueue(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and workers")
	}
	b := makeVersionedBucket(t, awsenv.StartVersitygw(t))
	b.damage(t, b.a[0])
	urls, reports := jetstreamServer(t).urls(t, "objects"), "file://"+t.TempDir()
	topic := strings.Split(urls.queue, "?")[0]
	start(t, "serve", "--listen", "off", "--queue", urls.queue, "--dead-letter", urls.deadLetters,
		"--bucket", b.Address(), "--reports", reports, "--shards-to", topic)
	rows, log, status := versionsVerified(t, "--queue", topic, "--reports", reports, b.Address())
	if status != exitFailed || len(rows) != 4 || rows[named(b.a[0])].State != sweep.Mismatch || rows[named(b.a[1])].State != sweep.OK {
		t.Errorf("verify ends with %d: %+v\n%s", status, rows, log)
	}
	b.Put(t, ".bucketsum/passes/list.csv", b.inventory())
	list := strings.Replace(b.Address(), "?", "/.bucketsum/passes/list.csv?", 1)
	rows, log, status = versionsVerified(t, "--queue", topic, "--reports", reports, "--inventory", list, b.Address())
	if status != exitFailed || len(rows) != 4 || rows[named(b.a[0])].State != sweep.Mismatch || rows[named(b.gone)].State != sweep.OK {
		t.Errorf("verify of an inventory ends with %d: %+v\n%s", status, rows, log)
	}
}

// TestVersionsRefused: what cannot be about every version says why.
func TestVersionsRefused(t *testing.T) {
	dir, bucket := bucketOf(t, map[string]string{"x": "1"})
	list := filepath.Join(filepath.Dir(dir), "list")
	put(t, list, "c4ca4238a0b923820dcc509a6f75849b  x\n")
	for want, args := range map[string][]string{
		"--versions: bucket inbox is in a folder":                                       {"verify", bucket},
		"--versions: bucket x is in memory":                                             {"verify", "x=mem://x"},
		"a record is beside its object and is of the current version, so that backfill": {"backfill", bucket},
		"a record is beside its object and is of the current version, so that manifest": {"manifest", "--format", "md5sum", bucket},
		"--records-only: only current versions have a record":                           {"verify", "--records-only", bucket},
		"--older-than: only current versions have a record":                             {"verify", "--older-than", "9d", bucket},
		"--budget: only current versions have a record":                                 {"verify", "--budget", "1GiB", bucket},
		"--against: a list has one checksum for each key":                               {"verify", "--against", list, bucket},
		"--native-checks off: older versions are compared with nothing else":            {"verify", "--native-checks", "off", bucket},
	} {
		args = append(args[:1:1], append([]string{"--versions"}, args[1:]...)...)
		if _, log, status := sweepRun(t, args...); status != exitUsage || !strings.Contains(log, want) {
			t.Errorf("%v ends with %d, want %q:\n%s", args, status, want, log)
		}
	}
}

// TestVerifyVersionNull: the version from before a bucket had versions is the one that is read, both times, whatever is
// current by then.
func TestVerifyVersionNull(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	for _, key := range []string{"gone", "other", "same"} {
		b.Put(t, key, "content")
	}
	b.SetVersioning(t, types.BucketVersioningStatusEnabled)
	b.Delete(t, "gone", "")
	b.Put(t, "other", "other content")
	b.Put(t, "same", "content")
	b = b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && r.URL.Query().Get("versionId") == "null" {
			w = upper{w}
		}
		next.ServeHTTP(w, r)
	}))
	rows, log, _ := versionsVerified(t, b.Address())
	for _, key := range []string{"gone", "other", "same"} {
		if row := rows[key+" null"]; row.State != sweep.Mismatch || !row.Noncurrent {
			t.Errorf("%s: got %+v\n%s", key, row, log)
		}
	}
}

// upper changes the content of an answer.
type upper struct{ http.ResponseWriter }

func (w upper) Write(p []byte) (int, error) { return w.ResponseWriter.Write(bytes.ToUpper(p)) }

// TestVerifyVersionNullMeanwhile: the current version without an id is replaced or deleted while it is verified.
func TestVerifyVersionNullMeanwhile(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	server.Setenv(t)
	older := map[string]found{"a null": {sweep.OK, true, "", true}}
	for name, tc := range map[string]struct {
		do   func(b drivertest.S3Bucket)
		want map[string]found
	}{
		"with versions, another is current": {func(b drivertest.S3Bucket) {
			b.SetVersioning(t, types.BucketVersioningStatusEnabled)
			b.Put(t, "a", "new")
		}, older},
		"with versions, the same again": {func(b drivertest.S3Bucket) {
			b.SetVersioning(t, types.BucketVersioningStatusEnabled)
			b.Put(t, "a", "old")
		}, older},
		"with versions, deleted": {func(b drivertest.S3Bucket) {
			b.SetVersioning(t, types.BucketVersioningStatusEnabled)
			b.Delete(t, "a", "")
		}, older},
		"deleted": {func(b drivertest.S3Bucket) { b.Delete(t, "a", "") }, map[string]found{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := drivertest.MakeS3Bucket(t, server, false)
			b.Put(t, "a", "old")
			var once sync.Once
			through := b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/a") {
					once.Do(func() { tc.do(b) })
				}
				next.ServeHTTP(w, r)
			}))
			rows, log, _ := versionsVerified(t, through.Address())
			if diff := cmp.Diff(tc.want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s%s", diff, log)
			}
		})
	}
}
