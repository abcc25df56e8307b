package sweep_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// oddRows are rows with all fields, by the keys of the store oddNames.
func oddRows() map[string]sweep.Row {
	size, at := int64(12), time.Date(2026, 11, 30, 12, 1, 2, 345678000, time.UTC)
	every := make(map[string]string)
	for _, name := range digest.Names() {
		every[name] = strings.Repeat("0f", digest.Size(name))
	}
	rows := []sweep.Row{
		{Key: "a", State: sweep.OK},
		{Key: "a\xe4", State: sweep.Moved, From: "a\xff", Reason: "its name is not UTF-8"},
		{Key: "b \"quoted\"\n", State: sweep.Mismatch, Size: &size, VersionID: "3/L4kqt", Noncurrent: true, ETag: "x-2", Checksums: every, Expected: every,
			RecordedAt: &at, VerifiedAt: &at, Class: "GLACIER", Modified: &at, Read: 12, Reason: "ä"},
		{Key: "c", State: sweep.Unreadable, ETag: "\xff is a strange ETag"},
		{Key: "d", State: sweep.OK, Checksums: map[string]string{"md5": strings.Repeat("a", 32)}},
	}
	byKey := make(map[string]sweep.Row)
	for _, r := range rows {
		r.Bucket = "odd"
		byKey[r.Key] = r
	}
	return byKey
}

type oddNames struct{ store }

func (o *oddNames) Items(_ context.Context, r sweep.Range) iter.Seq2[sweep.Item, error] {
	return func(yield func(sweep.Item, error) bool) {
		for _, at := range []string{"a", "a\xe4", "b \"quoted\"\n", "c", "d"} {
			if i := (sweep.Item{At: at}); r.Contains(at) {
				if i.Object.Key = at; !yield(i, nil) {
					return
				}
			}
		}
	}
}

// passOf is a pass over the rows of oddRows.
func passOf(reports sweep.Reports, table bool) *sweep.Pass {
	rows := oddRows()
	return &sweep.Pass{
		Command: sweep.Verify, Options: sweep.Options{Parquet: table}, Buckets: []string{"odd"}, Reports: reports, Name: "audit",
		Open: func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
			return sweep.Bucket{Source: new(oddNames), Keys: true, Examine: func(_ context.Context, i sweep.Item) (sweep.Row, error) {
				return rows[i.Object.Key], nil
			}}, nil
		},
	}
}

// TestTableReports: a pass with reports in Parquet tells the same rows as one with lines of JSON, when it is resumed, too. Its
// reports are files that another reader opens, with the fields of the JSON as columns.
func TestTableReports(t *testing.T) {
	told := make(map[bool][]sweep.Row)
	reports := make(map[bool]*memory)
	for _, table := range []bool{false, true} {
		reports[table] = newMemory()
		for _, run := range []string{"new", "again"} {
			p := passOf(reports[table], table)
			p.Cut = sweep.Cut{Items: 3}
			told[table] = nil
			p.Rows = func(rows []sweep.Row) error { told[table] = append(told[table], rows...); return nil }
			if s, err := p.Here(t.Context()); err != nil || !s.Complete {
				t.Fatalf("%s: %+v, %v", run, s, err)
			}
			if d := diff.Diff(told[false], told[table]); d != "" || len(told[table]) != len(oddRows()) {
				t.Fatalf("%s: %d rows (-json +parquet):\n%s", run, len(told[table]), d)
			}
		}
	}
	byKey := make(map[string]sweep.Row)
	for _, r := range told[true] {
		byKey[r.Key] = r
	}
	var ends []string
	for name := range reports[true].Names(t.Context(), "reports/") {
		if !strings.HasSuffix(name, ".parquet") {
			t.Errorf("a report is called %s", name)
		}
		data, err := reports[true].Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			After, End string
			Next       []sweep.Range
			Totals     sweep.Totals
		}
		text, _ := file.Lookup("bucketsum.report")
		if err := json.Unmarshal([]byte(text), &head); err != nil {
			t.Fatalf("the metadata %q: %v", text, err)
		}
		if head.Totals.Sum() != file.NumRows() || len(head.Next) == 0 && head.End != "" || len(head.Next) > 0 && head.Next[0].After != head.End {
			t.Errorf("%d rows, and the metadata %s", file.NumRows(), text)
		}
		ends = append(ends, head.End)
		rows, err := parquet.Read[any](bytes.NewReader(data), int64(len(data)), file.Schema())
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range rows {
			checkColumns(t, got.(map[string]any), byKey)
		}
	}
	if len(ends) != 2 {
		t.Errorf("got %d reports, that end at %q; want 2", len(ends), ends)
	}
}

// checkColumns compares the columns of a row with the fields of its JSON.
func checkColumns(t *testing.T, got map[string]any, rows map[string]sweep.Row) {
	t.Helper()
	var want map[string]any
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Fatal(err)
		}
		if fields["key"] == got["key"] && cmp.Or(fields["key_base64"], any("")) == cmp.Or(got["key_base64"], any("")) {
			want = fields
		}
	}
	plain := func(v any) string {
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v)); err == nil {
			return fmt.Sprint(at.UnixMicro())
		}
		return fmt.Sprint(v)
	}
	for name, v := range want {
		if nested, ok := v.(map[string]any); ok {
			columns, _ := got[name].(map[string]any)
			for algorithm, value := range nested {
				if columns[algorithm] != value {
					t.Errorf("%s: the column %s.%s is %v, want %v", want["key"], name, algorithm, columns[algorithm], value)
				}
			}
			continue
		}
		if plain(got[name]) != plain(v) {
			t.Errorf("%s: the column %s is %v, want %v", want["key"], name, got[name], v)
		}
	}
	for name, v := range got {
		if _, ok := want[name]; !ok && v != nil && v != "" && plain(v) != "0" && v != false {
			t.Errorf("%s: the column %s is %v, which the JSON does not have", want["key"], name, v)
		}
	}
}

// TestTableOfManyRows: reports of several groups of rows, whose rows are long, are read as they were written.
func TestTableOfManyRows(t *testing.T) {
	s := newStore(30_000)
	w := newWorld(map[string]*store{"b": s})
	w.options.Parquet = true
	w.examine = func(ctx context.Context, i sweep.Item) (sweep.Row, error) {
		r, err := ok(ctx, i)
		r.Reason, r.Size = strings.Repeat(i.At, 100), nil
		if n := int64(after(i.At)); n%3 > 0 {
			r.Size, r.Checksums = &n, map[string]string{[]string{1: "md5", 2: "sha1"}[n%3]: i.At}
		}
		return r, err
	}
	p := (&process{world: w, kill: func() {}}).pass(new(rows))
	p.Shards, p.Cut, p.Concurrency = 1, sweep.Cut{Items: 20_000}, 50
	var got rows
	p.Rows = func(rows []sweep.Row) error {
		for _, r := range rows {
			want, _ := w.examine(t.Context(), sweep.Item{At: r.Key, Object: pipeline.Object{Key: r.Key}})
			want.Bucket = "b"
			if d := diff.Diff(want, r); d != "" {
				t.Fatalf("%s (-want +got):\n%.1000s", r.Key, d)
			}
		}
		return got.add(rows)
	}
	if _, err := p.Here(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(all(w.stores), got); d != "" {
		t.Error(d)
	}
	if n := w.reports.count("reports/"); n != 2 {
		t.Errorf("got %d reports, want 2", n)
	}
}

// TestFormStays: a pass keeps the form of its reports. With another one, its name is refused, and without a name another
// pass begins.
func TestFormStays(t *testing.T) {
	reports := newMemory()
	stop := make(chan struct{})
	close(stop)
	p := passOf(reports, true)
	p.Stop = stop
	_, _ = p.Here(t.Context())
	if _, err := passOf(reports, false).Here(t.Context()); err == nil || !strings.Contains(err.Error(), "differs in --reports-format") {
		t.Errorf("with the other form: got %v", err)
	}
	p = passOf(reports, false)
	p.Name = ""
	if s, err := p.Here(t.Context()); err != nil || s.Pass == "audit" {
		t.Errorf("without a name: got the pass %q, %v; want another one", s.Pass, err)
	}
	if s, err := passOf(reports, true).Here(t.Context()); err != nil || !s.Complete {
		t.Errorf("resumed with its form: got %+v, %v", s, err)
	}
}

// TestHostileTables: a report in Parquet that is damaged, or made to harm its reader, is named, and nothing is taken from it.
// Its reader takes little memory.
func TestHostileTables(t *testing.T) {
	reports := newMemory()
	if _, err := passOf(reports, true).Here(t.Context()); err != nil {
		t.Fatal(err)
	}
	var name string
	for n := range reports.Names(t.Context(), "reports/") {
		name = n
	}
	delete(reports.objects, "summaries/audit.json")
	whole := reports.objects[name]
	read := func(report []byte) (n int, err error) {
		reports.objects[name] = report
		p := passOf(reports, true)
		p.Rows = func(rows []sweep.Row) error { n += len(rows); return nil }
		_, err = p.Here(t.Context())
		return n, err
	}
	if n, err := read(whole); err != nil || n != len(oddRows()) {
		t.Fatalf("the report as it was: got %d rows, %v", n, err)
	}
	refused := func(what string, report []byte) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := read(report)
		runtime.ReadMemStats(&after)
		if n != 0 || err == nil || !strings.Contains(err.Error(), name+": the report is damaged; delete it to have its shard run again") {
			t.Errorf("%s: got %d rows, %v; want an error that names the report", what, n, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 30<<20 {
			t.Errorf("%s: it took %d bytes", what, took)
		}
	}
	for cut := 0; cut < len(whole); cut += 101 {
		refused(fmt.Sprintf("cut at %d", cut), whole[:cut])
	}
	file, err := parquet.OpenFile(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		changed := bytes.Clone(whole)
		changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
		if n, err := read(changed); err != nil && (n != 0 || !strings.Contains(err.Error(), "the report is damaged")) {
			t.Fatalf("a byte was changed: got %d rows, %v", n, err)
		}
	}
	head, _ := file.Lookup("bucketsum.report")
	type one struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key"`
		State  string `parquet:"state"`
	}
	plain := one{"odd", "a", "ok"}
	rows := func(n int, o one) []one {
		all := make([]one, n)
		for i := range all {
			all[i] = o
		}
		return all
	}
	form := []parquet.WriterOption{parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy), parquet.DefaultEncoding(&parquet.Plain)}
	const totals = `{"format":1,"pass":"audit","bucket":"odd","totals":{"objects":{"ok":1},"bytes":0,"bytes_read":0}}`
	if n, err := read(tableOf(t, totals, rows(1, plain), form...)); err != nil || n != 1 {
		t.Errorf("a report with fewer columns, as another version writes it: got %d rows, %v", n, err)
	}
	refused("not Parquet", []byte("hello"))
	refused("no header", tableOf(t, "", rows(1, plain), form...))
	refused("of another pass", tableOf(t, strings.Replace(head, `"audit"`, `"x"`, 1), rows(1, plain), form...))
	refused("totals of other rows", tableOf(t, head, rows(1, plain), form...))
	refused("a row of another bucket", tableOf(t, totals, rows(1, one{"other", "a", "ok"}), form...))
	refused("a row twice", tableOf(t, strings.Replace(totals, `"ok":1`, `"ok":2`, 1), rows(2, plain), form...))
	refused("no columns of ours", tableOf(t, totals, []struct{ X int64 }{{1}}, form...))
	refused("a column of another type", tableOf(t, totals, []struct {
		Bucket int64 `parquet:"bucket"`
		Key    int64 `parquet:"key"`
	}{{1, 2}}, form...))
	large := append(form, parquet.PageBufferSize(64<<20))
	bomb := rows(32<<10, one{"odd", "a", strings.Repeat("x", 1000)})
	for name, codec := range map[string]compress.Codec{"zstd": &parquet.Zstd, "gzip": &parquet.Gzip, "snappy": &parquet.Snappy} {
		refused("a bomb in "+name, tableOf(t, totals, bomb, append(large, parquet.Compression(codec))...))
	}
	// The page announces 9 bytes, and Snappy unpacks it to 32 MB. Its header begins with a type and this number.
	lying := tableOf(t, totals, bomb, large...)
	if file, err = parquet.OpenFile(bytes.NewReader(lying), int64(len(lying))); err != nil {
		t.Fatal(err)
	}
	number := lying[file.Metadata().RowGroups[0].Columns[2].MetaData.DataPageOffset+3:]
	_, n := binary.Uvarint(number)
	copy(number, append(bytes.Repeat([]byte{0x80}, n-1), 0))
	number[0] |= 2 * 9
	refused("a page that lies", lying)
	refused("an encoding that unpacks to more", tableOf(t, totals, []struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key,delta"`
		State  string `parquet:"state"`
	}{{"odd", "a", "ok"}}, form...))
	refused("a dictionary", tableOf(t, totals, []struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key,dict"`
		State  string `parquet:"state"`
	}{{"odd", "a", "ok"}}, form...))
	refused("values in lists", tableOf(t, totals, []struct {
		Bucket string   `parquet:"bucket"`
		Key    string   `parquet:"key"`
		State  string   `parquet:"state"`
		Other  []string `parquet:"other"`
	}{{"odd", "a", "ok", []string{"a", "b"}}}, form...))
}

// tableOf writes rows as a file with a header.
func tableOf[T any](t *testing.T, head string, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](io.Writer(&b), options...)
	if head != "" {
		w.SetKeyValueMetadata("bucketsum.report", head)
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
