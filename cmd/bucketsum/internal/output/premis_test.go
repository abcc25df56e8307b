package output_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var premisSchema = flag.String("premis.schema", "", "file of the Library of Congress's schema of PREMIS 3.0 (premis-v3-0.xsd); xmllint validates each document by it")

// premis returns a document, which the schema finds valid if there is one.
func premis(t testing.TB, p output.Pass, e output.End, rows ...sweep.Row) string {
	t.Helper()
	text := document(t, output.PREMIS, p, e, rows...)
	if *premisSchema != "" {
		xmllint := exec.CommandContext(t.Context(), "xmllint", "--nonet", "--noout", "--schema", *premisSchema, "-")
		xmllint.Stdin = strings.NewReader(text)
		if out, err := xmllint.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	return text
}

// named returns an object of each name.
func named(names ...string) []sweep.Row {
	var rows []sweep.Row
	for _, name := range names {
		rows = append(rows, sweep.Row{Bucket: "photos", Key: name, State: sweep.OK, Checksums: map[string]string{"md5": helloMD5}})
	}
	return rows
}

// TestPREMIS holds the documents to those that were found valid with -premis.schema. The schema names no licence, so
// it is not in this repository.
func TestPREMIS(t *testing.T) {
	stopped := ended()
	stopped.Stopped = "interrupted"
	list := pass(sweep.Verify)
	list.List, list.Name = "https://example.org/<list>", ""
	verified := time.Date(2026, 3, 1, 8, 0, 30, 0, time.UTC)
	for name, tc := range map[string]struct {
		pass output.Pass
		end  output.End
		rows []sweep.Row
	}{
		"records": {pass(sweep.Verify), ended(), append(good(1, sweep.OK), faults()...)},
		"list":    {list, ended(), listed()},
		"empty":   {pass(sweep.Verify), stopped, nil},
		"names":   {pass(sweep.Verify), ended(), named(append(hostile, "\U0001f4f7 \U0001f468\u200d\U0001f469", "nul\x00", "\ufffe\uffff", "e\u0301", " ", "a//b/", "100%25", "?#")...)},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range tc.rows {
				tc.rows[i].VerifiedAt = &verified
			}
			golden(t, "premis_"+name+".xml", premis(t, tc.pass, tc.end, tc.rows...))
		})
	}
}

// TestPREMISNeedsContent expects that a pass which reads nothing is not told as a fixity check.
func TestPREMISNeedsContent(t *testing.T) {
	records := pass(sweep.Verify)
	records.Options.RecordsOnly = true
	for _, p := range []output.Pass{records, pass(sweep.Manifest), pass(sweep.Backfill)} {
		path := filepath.Join(t.TempDir(), "premis.xml")
		if _, err := output.PREMIS(path, p); err == nil || !strings.Contains(err.Error(), "reads the content") {
			t.Errorf("%s: %v", p.Command, err)
		}
	}
}

// FuzzPREMIS writes rows of any text: the document is well formed, its elements are those of the goldens, and the
// identifier of the object leads to its key.
func FuzzPREMIS(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, name)
	}
	known := make(map[string]bool)
	for _, name := range []string{"records", "list", "empty", "names"} {
		text, err := os.ReadFile(filepath.Join("testdata", "premis_"+name+".xml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, tag := range regexp.MustCompile(`<(\w+)`).FindAllStringSubmatch(string(text), -1) {
			known[tag[1]] = true
		}
	}
	f.Fuzz(func(t *testing.T, key, other string) {
		p := pass(sweep.Verify)
		p.Buckets, p.List, p.Version, p.Name = []string{"b"}, other, key, other
		text := premis(t, p, output.End{At: begun, Stopped: key}, sweep.Row{
			Bucket: "b", Key: key, State: sweep.State(other), From: key, Reason: other, Class: key,
			Checksums: map[string]string{key: other}, Expected: map[string]string{key: key, other: other},
		})
		var found []string
		decoder := xml.NewDecoder(strings.NewReader(text))
		for element := ""; ; {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %q", err, text)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if element = token.Name.Local; !known[element] {
					t.Errorf("there is a %s", element)
				}
			case xml.CharData:
				if element == "objectIdentifierValue" {
					found = append(found, string(token))
				}
			}
		}
		if len(found) < 2 {
			t.Fatalf("the identifiers are %q", found)
		}
		if got, err := url.PathUnescape(found[1]); got != "b/"+key {
			t.Errorf("the identifier %q is of %q, %v", found[1], got, err)
		}
	})
}

// TestPREMISOfManyRows expects all objects before all events.
func TestPREMISOfManyRows(t *testing.T) {
	text := premis(t, pass(sweep.Verify), ended(), slices.Concat(good(20_000, sweep.OK), faults())...)
	objects, events := strings.Count(text, "<object "), strings.Count(text, "<event>")
	if objects != 20_007 || events != 20_006 || strings.LastIndex(text, "<object ") > strings.Index(text, "<event>") {
		t.Errorf("there are %d objects and %d events", objects, events)
	}
	for _, want := range []string{fmt.Sprintf(">20260301t080000z/%d<", 20_006), ">pass<", ">fail<", ">not checked<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %s", want)
		}
	}
}
