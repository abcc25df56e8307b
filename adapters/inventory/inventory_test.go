package inventory_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

const bucket = "photos"

func isRecord(key string) bool { return strings.HasSuffix(key, ".md5") }

func open(t testing.TB, c inventory.Config) *inventory.Inventory {
	t.Helper()
	c.Bucket, c.IsRecord = bucket, isRecord
	v, err := inventory.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() }) // it only reads
	return v
}

// items returns what a range yields, and the errors of rows by the positions of these.
func items(t testing.TB, v *inventory.Inventory, r sweep.Range) (all []sweep.Item, faults map[string]string) {
	t.Helper()
	faults = make(map[string]string)
	for i, err := range v.Items(t.Context(), r) {
		switch {
		case err != nil && i.At == "":
			t.Fatal(err)
		case err != nil:
			faults[i.At] = err.Error()
		default:
			all = append(all, i)
		}
	}
	return all, faults
}

func at(file, row int) string { return fmt.Sprintf("%06d:%012d", file, row) }

func object(key, etag string, size int64) pipeline.Object {
	return pipeline.Object{Bucket: bucket, Key: key, ETag: etag, Size: size}
}

func claim(algorithm, value string) pipeline.Claim {
	return pipeline.Claim{Name: "inventory " + algorithm, Claim: digest.Claim{Algorithm: algorithm, Value: value}}
}

// TestVersions: rows of older versions are told when they are wanted, and a list that does not tell versions is refused.
func TestVersions(t *testing.T) {
	v := open(t, inventory.Config{Name: "testdata/s3/2026-11-29T01-00Z/manifest.json", Versions: true})
	var got []string
	all, _ := items(t, v, sweep.Range{})
	for _, i := range all {
		got = append(got, fmt.Sprint(i.Object.Key, " ", i.Object.VersionID, " ", i.Noncurrent))
	}
	want := []string{
		"2026/a b c.jpg v2 false", "2026/a b c.jpg v1 true", `film,1".mov v4 false`, "tiered v5 false", "tiered-and-instant v6 false", "файл v8 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	list := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(list, []byte("a\nb\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{list, "testdata/batch.csv"} {
		v := open(t, inventory.Config{Name: name, Versions: true})
		for i, err := range v.Items(t.Context(), sweep.Range{}) {
			if i.At != "" || pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "choose an inventory of all versions") {
				t.Errorf("%s: %+v, %v", name, i, err)
			}
			break
		}
	}
}

// TestForms reads small lists that were written by hand after the documentation of each format.
func TestForms(t *testing.T) {
	day := time.Date(2026, 11, 28, 10, 11, 12, 0, time.UTC)
	google := func(key string, size int64, etag, generation string) pipeline.Object {
		o := object(key, etag, size)
		o.VersionID = generation
		return o
	}
	for name, tc := range map[string]struct {
		file   string
		made   string
		want   []sweep.Item
		faults map[string]string
		logs   string
	}{
		"S3 Inventory": {
			file: "s3/2026-11-29T01-00Z/manifest.json", made: "2026-11-29T01:00:00Z",
			want: []sweep.Item{
				{At: at(0, 1), Object: object("2026/a b c.jpg", "0cc175b9c0f1b6a831c399e269772661", 11), Modified: day},
				{At: at(0, 4), Object: object(`film,1".mov`, "d41d8cd98f00b204e9800998ecf8427e-640", 5<<30), Modified: day.Add(time.Second), Class: "DEEP_ARCHIVE", Archived: true},
				{At: at(0, 5), Object: object("tiered", "4a8a08f09d37b73795649038408b5f33", 3), Modified: day.Add(time.Second), Class: "INTELLIGENT_TIERING", Archived: true},
				{At: at(0, 6), Object: object("tiered-and-instant", "4a8a08f09d37b73795649038408b5f33", 3), Modified: day.Add(time.Second), Class: "INTELLIGENT_TIERING"},
				{At: at(0, 8), Object: object("файл", "d41d8cd98f00b204e9800998ecf8427e", 0), Modified: day.Add(time.Second), Class: "GLACIER_IR"},
			},
			faults: map[string]string{at(0, 10): `row 10 of testdata/s3/data/7f0c2b1e-52f5-4a5c-9ad7-8ef1f0c5f2c1.csv.gz: the key "bad%zz" cannot be decoded: it has to be percent-encoded`},
			logs:   "rows of another bucket",
		},
		"S3 Batch Operations": {
			file: "batch.csv",
			want: []sweep.Item{
				{At: at(0, 1), Object: object("2026/a b.jpg", "", -1)},
				{At: at(0, 2), Object: object("with,comma", "", -1)},
				{At: at(0, 3), Object: object("no-version", "", -1)},
			},
			logs: "rows of another bucket",
		},
		"Google": {
			file: "google/daily_2026-11-29_manifest.json", made: "2026-11-29T00:00:00Z",
			want: []sweep.Item{
				{At: at(0, 1), Object: google("2026/a b+c.jpg", 1, "CJDc1a2b3c4CEAE=", "1764324672345000"), Modified: day.Add(345 * time.Millisecond),
					Claims: []pipeline.Claim{claim("crc32c", "wdBDMA=="), claim("md5", "DMF1ucDxtqgxw5niaXcmYQ==")}},
				{At: at(0, 2), Object: google("composed", 9, "CJDc1a2b3c4CEAI=", "1764324672345001"), Modified: day.Add(345 * time.Millisecond), Class: "ARCHIVE",
					Claims: []pipeline.Claim{claim("crc32c", "AAAAAA==")}},
				{At: at(0, 4), Object: google("quoted, \"name\"\nwith a newline", 9, "CJDc1a2b3c4CEAQ=", "1764324672345003"), Modified: day.Add(345 * time.Millisecond), Class: "NEARLINE",
					Claims: []pipeline.Claim{claim("crc32c", "AAAAAA==")}},
			},
		},
		"Azure": {
			file: "azure/rule/rule-manifest.json", made: "2026-11-29T01:00:00Z",
			want: []sweep.Item{
				{At: at(0, 1), Object: object("2026/a b+c.jpg", "0x8DE2E1A2B3C4D5E", 1), Modified: day, Class: "Hot", Claims: []pipeline.Claim{claim("md5", "DMF1ucDxtqgxw5niaXcmYQ==")}},
				{At: at(0, 4), Object: object("archived", "0x8DE2E1A2B3C4D5F", 2), Modified: day.AddDate(0, 0, -1), Class: "Archive", Archived: true},
			},
			logs: "rows of another bucket",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var logs bytes.Buffer
			v := open(t, inventory.Config{Name: "testdata/" + tc.file, Log: slog.New(slog.NewTextHandler(&logs, nil))})
			got, faults := items(t, v, sweep.Range{})
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(pipeline.Claim{}, "Confirm")); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.faults, faults, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if v.Made() != tc.made {
				t.Errorf("made is %q, want %q", v.Made(), tc.made)
			}
			if !strings.Contains(logs.String(), tc.logs) || tc.logs == "" && logs.Len() > 0 {
				t.Errorf("logged %q, want %q", logs.String(), tc.logs)
			}
		})
	}
}

// TestKeys reads lists of keys, as find -print and find -print0 write them.
func TestKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		null bool
		want []string
	}{
		"lines":                   {text: "a\nb c\r\n\n%20+\nd.md5\nlast", want: []string{"a", "b c", "%20+", "last"}},
		"NUL":                     {text: "a\x00b\nc\x00last", null: true, want: []string{"a", "b\nc", "last"}},
		"nothing":                 {},
		"compressed":              {text: string(zipped("a\nb\n")), want: []string{"a", "b"}},
		"what looks like a table": {text: "bucket,key\n\"x\"\n", want: []string{"bucket,key", `"x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := inventory.Spool(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			got, _ := items(t, open(t, inventory.Config{Name: path, Null: tc.null}), sweep.Range{})
			var keys []string
			for _, i := range got {
				if keys = append(keys, i.Object.Key); i.Object.Size != pipeline.UnknownSize || i.Object.ETag != "" {
					t.Errorf("%+v: want nothing but a key", i)
				}
			}
			if diff := cmp.Diff(tc.want, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a key that none can have", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "keys", strings.Repeat("k", pipeline.MaxKey+1)+"\n\xff\nright\n")
		got, faults := items(t, open(t, inventory.Config{Name: dir + "/keys"}), sweep.Range{})
		if len(got) != 1 || got[0].Object.Key != "right" || len(faults) != 2 {
			t.Errorf("got %v and %v, want one right key and two faults", got, faults)
		}
	})
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // memory never fails
	_ = z.Close()
	return b.Bytes()
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// s3Manifest returns the manifest of an inventory of S3.
func s3Manifest(t testing.TB, format string, files map[string][]byte) string {
	t.Helper()
	type file struct {
		Key  string `json:"key"`
		Size int    `json:"size"`
		MD5  string `json:"MD5checksum"`
	}
	m := struct {
		SourceBucket string `json:"sourceBucket"`
		FileFormat   string `json:"fileFormat"`
		FileSchema   string `json:"fileSchema"`
		Files        []file `json:"files"`
	}{bucket, format, "Bucket, Key, Size, ETag", nil}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m.Files = append(m.Files, file{name, len(files[name]), fmt.Sprintf("%x", md5.Sum(files[name]))})
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// table returns a table of rows, whose keys are numbered.
func table(first, n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\"%s\",\"k%06d\",\"%d\",\"e\"\n", bucket, first+i, i)
	}
	return zipped(b.String())
}

// made returns an inventory of three files with 10, 1 and 21 rows, as a manifest in a folder.
func made(t testing.TB) *inventory.Inventory {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{"p/data/1.csv.gz": table(0, 10), "p/data/2.csv.gz": table(10, 1), "p/data/3.csv.gz": table(11, 21)}
	for name, content := range files {
		write(t, dir, filepath.Base(name), string(content))
	}
	return open(t, inventory.Config{Name: write(t, dir, "manifest.json", s3Manifest(t, "CSV", files))})
}

// TestRefused: what cannot be read is refused with a sentence that says what to do.
func TestRefused(t *testing.T) {
	good := table(0, 3)
	one := func(format string) string { return s3Manifest(t, format, map[string][]byte{"data/1.csv.gz": good}) }
	for name, tc := range map[string]struct {
		file, text string
		data       []byte // of the file that the manifest names
		want       string
	}{
		"ORC":                           {file: "manifest.json", text: one("ORC"), want: "choose CSV or Apache Parquet"},
		"an ORC file":                   {file: "1.orc", want: "choose CSV or Apache Parquet"},
		"of another bucket":             {file: "manifest.json", text: strings.Replace(one("CSV"), bucket, "films", 1), want: `it is the inventory of bucket "films", and the pass is about "photos"`},
		"some JSON":                     {file: "manifest.json", text: `{}`, want: "it is not a manifest"},
		"no JSON":                       {file: "manifest.json", text: `x`, want: "no JSON"},
		"no files":                      {file: "manifest.json", text: s3Manifest(t, "CSV", nil), want: "names 0 files"},
		"no keys":                       {file: "manifest.json", text: strings.Replace(one("CSV"), " Key,", " Kex,", 1), want: "no column has the keys"},
		"too large":                     {file: "manifest.json", text: strings.Repeat(" ", 32<<20+1), want: "more than"},
		"Azure's, which failed":         {file: "manifest.json", text: `{"status":"Failed","ruleDefinition":{}}`, want: `its status is "Failed"`},
		"Azure's, of containers":        {file: "manifest.json", text: `{"status":"Succeeded","ruleDefinition":{"objectType":"container"}}`, want: "it has to be of blobs"},
		"a table of something":          {file: "1.csv", text: "a,b,c,d\n", want: "neither the columns of a manifest"},
		"a table with an open quote":    {file: "1.csv", text: "\"a\n", want: "a quote is not closed"},
		"no file":                       {file: "", want: "no such file"},
		"a data file that is gone":      {file: "manifest.json", text: strings.Replace(one("CSV"), "/1.csv", "/2.csv", 1), data: good, want: "no such file"},
		"a data file of another length": {file: "manifest.json", text: one("CSV"), data: good[1:], want: "its manifest says"},
		"a data file that was changed":  {file: "manifest.json", text: one("CSV"), data: flipped(good, 9), want: "MD5"},
		"a data file that is damaged":   {file: "manifest.json", text: one("CSV"), data: flipped(good, 30), want: "damaged"},
		"a data file cut off":           {file: "manifest.json", text: s3Manifest(t, "CSV", map[string][]byte{"1.csv.gz": good[:40]}), data: good[:40], want: "damaged"},
		"a line without an end":         {file: "keys", text: strings.Repeat("k", 2<<20), want: "a row has more than"},
		"a quote without an end":        {file: "1.csv", text: "photos,a\n\"" + strings.Repeat("k\n", 2<<20), want: "a row has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "none.csv")
			if tc.file != "" {
				path = write(t, dir, tc.file, tc.text)
			}
			if tc.data != nil {
				write(t, dir, "1.csv.gz", string(tc.data))
			}
			v, err := inventory.Open(t.Context(), inventory.Config{Name: path, Bucket: bucket})
			if err == nil {
				for i, fault := range v.Items(t.Context(), sweep.Range{}) {
					if i.At == "" {
						err = fault
					}
				}
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("got the error %v, want a permanent one with %q", err, tc.want)
			}
		})
	}
	if _, _, err := made(t).Split(t.Context(), sweep.Range{After: "../x"}); err == nil {
		t.Error("a range of keys was split")
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestNames: a manifest names files of its own folder only, whatever it says.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	secret := write(t, dir, "secret.csv.gz", string(table(0, 3)))
	if err := os.MkdirAll(dir+"/a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	content := table(0, 3)
	for _, name := range []string{secret, "../../secret.csv.gz", "a/../../../secret.csv.gz", ".."} {
		path := write(t, dir+"/a/b", "manifest.json", s3Manifest(t, "CSV", map[string][]byte{name: content}))
		v := open(t, inventory.Config{Name: path})
		for i, err := range v.Items(t.Context(), sweep.Range{}) {
			if err == nil {
				t.Fatalf("%s: read %+v", name, i)
			}
		}
	}
}

// TestStopped: the reader may stop at any item, and an ended context ends the reading.
func TestStopped(t *testing.T) {
	v := made(t)
	for range v.Items(t.Context(), sweep.Range{}) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	long := open(t, inventory.Config{Name: write(t, dir, "keys", strings.Repeat("k\n", 5000))})
	n := 0
	var last error
	for _, err := range long.Items(ctx, sweep.Range{}) {
		n, last = n+1, err
	}
	if n > 2000 || !errors.Is(last, context.Canceled) {
		t.Errorf("got %d items and then %v", n, last)
	}
}

// TestID: another list has another ID.
func TestID(t *testing.T) {
	dir := t.TempDir()
	a := open(t, inventory.Config{Name: write(t, dir, "a", "k\n")})
	same := open(t, inventory.Config{Name: write(t, dir, "b", "k\n")})
	other := open(t, inventory.Config{Name: write(t, dir, "c", "x\n")})
	if a.ID() != same.ID() || a.ID() == other.ID() {
		t.Errorf("got %q, %q and %q, want the first two alike", a.ID(), same.ID(), other.ID())
	}
}
