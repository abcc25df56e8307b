package sweep_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// latin1 are names that are not UTF-8, between others whose order shows what U+FFFD in their place would leave out.
var latin1 = []string{"a", "a\xe4", "a\xe4b", "a\xe4\xb8\x96", "a\xe9", "a\xff", "b"}

// TestRowBytes: a row in JSON keeps the bytes of names that are not UTF-8, and has no more fields for others.
func TestRowBytes(t *testing.T) {
	for _, r := range []sweep.Row{
		{Bucket: "b", Key: "ü&<>", State: sweep.OK, At: "1"},
		{Bucket: "b", Key: "a\xe4", State: sweep.Moved, From: "a\xff", At: "\xfe"},
		{Bucket: "b", Key: "a\ufffd", State: sweep.Missing},
	} {
		var line bytes.Buffer
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		var got sweep.Row
		if err := json.Unmarshal(line.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line.Bytes(), diff)
		}
		if strings.Contains(line.String(), "base64") != (r.From != "") || strings.Contains(line.String(), `\u0026`) {
			t.Errorf("got %s", line.Bytes())
		}
	}
}

// TestPassOfOtherBytes: a pass that is cut and resumed looks at each name once.
func TestPassOfOtherBytes(t *testing.T) {
	stores := map[string]*store{"photos": {keys: latin1}}
	for name, n := range map[string]int{"one root": 0, "many roots": 4} {
		t.Run(name, func(t *testing.T) {
			p := sweep.Pass{
				Command: sweep.Verify, Buckets: []string{"photos"}, Reports: newMemory(), Name: "audit", Shards: n,
				Cut: sweep.Cut{Items: 1}, Open: openStores(stores, ok),
			}
			for _, run := range []string{"new", "again"} {
				var got rows
				p.Rows = got.add
				if s, err := p.Here(t.Context()); err != nil || !s.Complete {
					t.Fatalf("%s: %+v, %v", run, s, err)
				}
				if diff := cmp.Diff(all(stores), got); diff != "" {
					t.Errorf("%s: %s", run, diff)
				}
			}
		})
	}
}
