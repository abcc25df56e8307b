package inventory_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// walk reads a list, whatever it is, and checks what every item promises.
func walk(t *testing.T, name string, content []byte) {
	dir := t.TempDir()
	write(t, dir, "data.csv", "a,b\n")
	v, err := inventory.Open(t.Context(), inventory.Config{Name: write(t, dir, name, string(content)), Bucket: bucket})
	if err != nil {
		return
	}
	last := ""
	for i, err := range v.Items(t.Context(), sweep.Range{}) {
		if err != nil && i.At == "" {
			break
		}
		if i.At <= last {
			t.Fatalf("%q follows %q", i.At, last)
		}
		last = i.At
		if err != nil {
			continue
		}
		if o := i.Object; o.Key == "" || !utf8.ValidString(o.Key) || len(o.Key) > pipeline.MaxKey || o.Bucket != bucket || o.Size < pipeline.UnknownSize {
			t.Fatalf("got the item %+v", i)
		}
	}
	if middle, ok, err := v.Split(t.Context(), sweep.Range{}); ok && (err != nil || middle == "") {
		t.Fatalf("split at %q, %v", middle, err)
	}
}

func FuzzManifest(f *testing.F) {
	for _, name := range []string{"s3/2026-11-29T01-00Z/manifest.json", "google/daily_2026-11-29_manifest.json", "azure/rule/rule-manifest.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"sourceBucket":"photos","fileFormat":"CSV","fileSchema":"Key,Bucket","files":[{"key":"data.csv"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) { walk(t, "manifest.json", text) })
}

func FuzzCSV(f *testing.F) {
	for _, name := range []string{"batch.csv", "google/daily_2026-11-29_0.csv", "azure/rule/rule.csv", "s3/data/7f0c2b1e-52f5-4a5c-9ad7-8ef1f0c5f2c1.csv.gz"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { walk(t, "list.csv", text) })
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetFile(f, s3Rows(5)))
	f.Fuzz(func(t *testing.T, content []byte) { walk(t, "list.parquet", content) })
}

// FuzzFields compares rows with those that the CSV reader of the standard library finds.
func FuzzFields(f *testing.F) {
	f.Add(`photos,"a ""quoted"", key"`, "k")
	f.Add("photos,\"two\nlines\"", "")
	f.Fuzz(func(t *testing.T, key, other string) {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		for _, row := range [][]string{{"bucket", "name", "x"}, {bucket, key, other}, {bucket, "last", ""}} {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		want, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(key) > pipeline.MaxKey || !utf8.ValidString(key) || key == "" {
			return
		}
		b.Reset()
		_ = csv.NewWriter(&b).WriteAll(want) // memory never fails
		v := open(t, inventory.Config{Name: write(t, t.TempDir(), "1.csv", b.String())})
		got, faults := items(t, v, sweep.Range{})
		if isRecord(want[1][1]) {
			return
		}
		if len(got) != 2 || got[0].Object.Key != want[1][1] || got[1].Object.Key != "last" {
			t.Errorf("got %v and %v, want %q", got, faults, want[1][1])
		}
	})
}
