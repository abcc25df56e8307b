package output_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	run(t, output.JSON(&b), ended(), slices.Concat(good(1, sweep.OK), faults(), listed())...)
	golden(t, "rows.jsonl", b.String())
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	run(t, output.Text(&b, pass(sweep.Verify)), ended(), slices.Concat(good(3, sweep.OK), faults(), listed())...)
	golden(t, "rows.txt", b.String())
}

// TestValuesOnce expects no value twice that the reason of a mismatch has.
func TestValuesOnce(t *testing.T) {
	r := faults()[0]
	r.Reason = "its record says md5 " + otherMD5 + ", the content has " + helloMD5
	var b bytes.Buffer
	run(t, output.Text(&b, pass(sweep.Verify)), ended(), r)
	if want := "mismatch    a/mismatch & more.jpg: crc32c is aabbccdd, expected 00bbccdd; " + r.Reason + "\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	page, err := output.Page(path, pass(sweep.Verify))
	if err != nil {
		t.Fatal(err)
	}
	run(t, page, ended(), r)
	html, err := os.ReadFile(path)
	if n := strings.Count(string(html), otherMD5); err != nil || n != 1 || !strings.Contains(string(html), "00bbccdd") {
		t.Errorf("the page has the expected md5 %d times, %v; want once", n, err)
	}
}

// TestTextBuckets expects the bucket in front of the key if there are several.
func TestTextBuckets(t *testing.T) {
	p := pass(sweep.Verify)
	p.Buckets = append(p.Buckets, "films")
	var b bytes.Buffer
	run(t, output.Text(&b, p), ended(), sweep.Row{Bucket: "films", Key: "a", State: sweep.NoRecord})
	if want := "no-record   films/a\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestSummary(t *testing.T) {
	list := pass(sweep.Verify)
	list.List, list.Strict = "MD5SUMS", true
	records := pass(sweep.Verify)
	records.Options.RecordsOnly = true
	stopped := ended()
	stopped.Stopped = "interrupted; run the same command to continue"
	for name, tc := range map[string]struct {
		pass output.Pass
		end  output.End
		rows []sweep.Row
	}{
		"verify":          {pass(sweep.Verify), ended(), slices.Concat(good(1000, sweep.OK), faults())},
		"verify_ok":       {pass(sweep.Verify), ended(), good(40, sweep.OK)},
		"verify_one":      {pass(sweep.Verify), ended(), good(1, sweep.OK)},
		"verify_none":     {pass(sweep.Verify), ended(), nil},
		"verify_archived": {pass(sweep.Verify), ended(), append(good(40, sweep.OK), faults()[5])},
		"verify_stopped":  {pass(sweep.Verify), stopped, good(40, sweep.OK)},
		"records_only":    {records, ended(), good(2, sweep.OK)},
		"list":            {list, ended(), append(good(7, sweep.OK), listed()...)},
		"backfill":        {pass(sweep.Backfill), ended(), slices.Concat(good(40, sweep.OK), good(2, sweep.Recorded))},
		"backfill_failed": {pass(sweep.Backfill), ended(), append(good(2, sweep.Recorded), faults()[4])},
		"manifest":        {pass(sweep.Manifest), ended(), append(good(2, sweep.OK), faults()[2])},
		"unknown_state":   {pass(sweep.Verify), ended(), []sweep.Row{{Key: "a", State: "\x1b[1mnew"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			run(t, output.Summary(&b, tc.pass), tc.end, tc.rows...)
			golden(t, "summary_"+name+".txt", b.String())
		})
	}
}

func TestTextMost(t *testing.T) {
	for rows, want := range map[int]string{2: "stale       file-0\nstale       file-1\n", 3: "stale       file-0\nstale       file-1\n… and 1 object more\n", 5: "stale       file-0\nstale       file-1\n… and 3 objects more\n"} {
		var b bytes.Buffer
		var all []sweep.Row
		for i := range rows {
			all = append(all, sweep.Row{Key: fmt.Sprintf("file-%d", i), State: sweep.Stale}, sweep.Row{Key: "fine", State: sweep.OK})
		}
		run(t, output.TextMost(&b, pass(sweep.Manifest), 2), ended(), all...)
		if b.String() != want {
			t.Errorf("%d rows:\n%swant\n%s", rows, b.String(), want)
		}
	}
}

// watched is a writer that a test looks at while others write.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *watched) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Count(w.b.Bytes(), []byte("\n"))
}

// TestLinesArriveInTime expects that a line waits for others, but not long.
func TestLinesArriveInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watched
		s := output.JSON(&w)
		for written := range 3 {
			if err := errors.Join(s.Row(good(1, sweep.OK)[0]), s.Row(good(1, sweep.OK)[0])); err != nil {
				t.Fatal(err)
			}
			if n := w.count(); n != 2*written {
				t.Errorf("at once, %d lines are written, want %d", n, 2*written)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if n := w.count(); n != 2*written+2 {
				t.Errorf("after a second, %d lines are written, want %d", n, 2*written+2)
			}
		}
		if err := s.Close(ended()); err != nil {
			t.Fatal(err)
		}
	})
}

// brokenPipe refuses each write.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestBrokenPipeEndsThePass expects an error from Row soon after the reader is gone, and from Close.
func TestBrokenPipeEndsThePass(t *testing.T) {
	for name, s := range map[string]output.Sink{"json": output.JSON(brokenPipe{}), "text": output.Text(brokenPipe{}, pass(sweep.Verify))} {
		var err error
		rows := 0
		for ; err == nil && rows < 10_000; rows++ {
			err = s.Row(faults()[0])
		}
		if !errors.Is(err, io.ErrClosedPipe) || rows == 10_000 {
			t.Errorf("%s: after %d rows: %v", name, rows, err)
		}
		if err := s.Close(ended()); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: Close returns %v", name, err)
		}
	}
}

// TestSinksAllClose expects that all outputs are finished, also after one has failed.
func TestSinksAllClose(t *testing.T) {
	var b bytes.Buffer
	all := output.Sinks{output.JSON(&b), output.Text(brokenPipe{}, pass(sweep.Verify)), output.Summary(&b, pass(sweep.Verify))}
	if err := all.Row(faults()[0]); err != nil {
		t.Fatal(err)
	}
	if err := all.Close(ended()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close returns %v", err)
	}
	if got := b.String(); !strings.HasPrefix(got, "{") || !strings.Contains(got, "attention") {
		t.Errorf("the other outputs are %q", got)
	}
}

// FuzzText writes rows with any name and reason: one line each, without control characters, and JSON that
// has the same row.
func FuzzText(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, key, reason string) {
		row := sweep.Row{
			Bucket: reason, Key: key, State: sweep.Mismatch, From: reason, Reason: reason, Class: key,
			Checksums: map[string]string{key: reason}, Expected: map[string]string{key: key},
		}
		p := pass(sweep.Verify)
		p.Buckets = []string{key, reason}
		var text, lines, summary bytes.Buffer
		run(t, output.Sinks{output.Text(&text, p), output.JSON(&lines), output.Summary(&summary, p)}, output.End{At: begun, Stopped: reason}, row)
		for name, got := range map[string]string{"text": text.String(), "json": lines.String()} {
			if line, rest, _ := strings.Cut(got, "\n"); rest != "" || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s is %q", name, got)
			}
		}
		if strings.ContainsFunc(summary.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("the summary is %q", summary.String())
		}
		var again, want sweep.Row
		plain, err := json.Marshal(row)
		if err := errors.Join(err, json.Unmarshal(plain, &want), json.Unmarshal(lines.Bytes(), &again)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Error(diff)
		}
	})
}
