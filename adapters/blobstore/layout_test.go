package blobstore_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

var layouts = []string{
	blobstore.DefaultLayout, "checksums/{key}.{alg}", "checksums/{alg}/{key}", "{dir}/.sums/{base}.{alg}",
	"{alg}{key}", "{key}{alg}", "sums{dir}/{base}/x{alg}", "{alg}/{dir}/{base}", "{dir}/{alg}{base}", "{key}/{alg}",
	"a+b[c]/{key}.{alg}", "..sums/{key}.{alg}", "{dir}/.bucketsums/{base}.{alg}",
}

func TestParseLayout(t *testing.T) {
	for _, template := range layouts {
		layout, err := blobstore.ParseLayout(template)
		if err != nil {
			t.Error(err)
		}
		if got := layout.String(); got != template {
			t.Errorf("String() = %q, want %q", got, template)
		}
	}
	for template, says := range map[string]string{
		"":                              "{alg} is missing",
		"{key}.md5":                     "{alg} is missing",
		"{alg}":                         "no two objects share a record",
		"sums/{base}.{alg}":             "no two objects share a record",
		"{dir}/sums.{alg}":              "no two objects share a record",
		"{base}/{dir}/{alg}":            "no two objects share a record",
		"{dir}{base}.{alg}":             "{dir}/ followed by {base}",
		"{dir}/{key}.{alg}":             "either {key} or",
		"{key}{key}.{alg}":              "{key} occurs twice",
		"{key}.{alg}.{alg}":             "{alg} occurs twice",
		"{key}.{algorithm}":             "unknown variable {algorithm}",
		"{key}.{alg}.{":                 "brace",
		"{{key}.{alg}":                  "brace",
		"/{key}.{alg}":                  "clean relative path",
		"../{key}.{alg}":                "clean relative path",
		"a/../{key}.{alg}":              "clean relative path",
		"./{key}.{alg}":                 "clean relative path",
		"a//{key}.{alg}":                "clean relative path",
		"{key}.{alg}/":                  "clean relative path",
		".bucketsum/{key}.{alg}":        "own notes",
		"{dir}/.bucketsum/{base}.{alg}": "own notes",
	} {
		_, err := blobstore.ParseLayout(template)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "for example") {
			t.Errorf("%q: got %v, want an error that says %q and gives examples", template, err, says)
		}
	}
}

func TestRecordKey(t *testing.T) {
	for _, test := range []struct{ template, key, want string }{
		{"{key}.{alg}", "a", "a.md5"},
		{"{key}.{alg}", "a/b.md5", "a/b.md5.md5"},
		{"checksums/{key}.{alg}", "a/b", "checksums/a/b.md5"},
		{"{dir}/.sums/{base}.{alg}", "a", ".sums/a.md5"},
		{"{dir}/.sums/{base}.{alg}", "a/b/c", "a/b/.sums/c.md5"},
		{"{dir}/.sums/{base}.{alg}", "/a", "/.sums/a.md5"},
		// What is in a key is no variable.
		{"{dir}/.sums/{base}.{alg}", "{alg}/{base}", "{alg}/.sums/{base}.md5"},
		{"{key}.{alg}", "{alg}", "{alg}.md5"},
		{"{key}.{alg}", "{key}/{dir}/{base}", "{key}/{dir}/{base}.md5"},
		{"{dir}/{alg}{base}", "{base}/{alg}/{key}{alg}", "{base}/{alg}/md5{key}{alg}"},
		{"sums{dir}/{base}/x{alg}", "a/{dir}", "sumsa/{dir}/xmd5"},
	} {
		if got := drivertest.MustLayout(t, test.template).RecordKey(test.key, "md5"); got != test.want {
			t.Errorf("%s of %q: got %q, want %q", test.template, test.key, got, test.want)
		}
	}
	if got := (blobstore.Layout{}).RecordKey("a", "md5"); got != "a.md5" {
		t.Errorf("zero value: got %q", got)
	}
}

func TestIsRecord(t *testing.T) {
	for _, test := range []struct {
		template, key string
		want          bool
	}{
		{"{key}.{alg}", "a.md5", true},
		{"{key}.{alg}", "a/.x.sha512", true},
		{"{key}.{alg}", ".md5", false}, // of no object
		{"{key}.{alg}", "a.md5x", false},
		{"{key}.{alg}", "a.MD5", false},
		{"{key}.{alg}", "amd5", false},
		{"checksums/{key}.{alg}", "a.md5", false},
		{"checksums/{key}.{alg}", "checksums/a.md5", true},
		{"checksums/{key}.{alg}", "x/checksums/a.md5", false},
		{"{dir}/.sums/{base}.{alg}", "a/.sums/b.md5", true},
		{"{dir}/.sums/{base}.{alg}", ".sums/b.md5", true},
		{"{dir}/.sums/{base}.{alg}", "a.sums/b.md5", false},
		{"{dir}/.sums/{base}.{alg}", "a/.sums/b/c.md5", false},
	} {
		if got := drivertest.MustLayout(t, test.template).IsRecord(test.key); got != test.want {
			t.Errorf("%s: IsRecord(%q) = %v", test.template, test.key, got)
		}
	}
	if !(blobstore.Layout{}).IsRecord("a.md5") {
		t.Error("zero value: IsRecord(a.md5) is false")
	}
}

// For every key, RecordKey returns the key of a record, and ObjectKey leads back.
func FuzzLayout(f *testing.F) {
	for _, key := range []string{
		"a", "a/b", "/", "//", "/a", "a/", "a//b", "a.md5", ".md5", "md5", "a.md5/b.sha1", ".sums/a", "{key}", "{dir}/{alg}", "\n", "\xff/\xfe",
		"checksums/a.md5", "x/.sums/a.md5", "sums", "sha1/md5/x",
	} {
		for i := range layouts {
			f.Add(key, uint(i), uint(i))
		}
	}
	f.Fuzz(func(t *testing.T, key string, template, algorithm uint) {
		if key == "" {
			return // no object has it
		}
		layout := drivertest.MustLayout(t, layouts[template%uint(len(layouts))])
		alg := digest.Names()[algorithm%uint(len(digest.Names()))]
		record := layout.RecordKey(key, alg)
		if !layout.IsRecord(record) {
			t.Errorf("%s of %q: %q is not known as a record", layout, key, record)
		}
		if k, a, ok := layout.ObjectKey(record); k != key || a != alg || !ok {
			t.Errorf("%s of %q and %s: %q leads back to %q and %q, %v", layout, key, alg, record, k, a, ok)
		}
		// The other way round: what is taken for a record is one.
		if k, a, ok := layout.ObjectKey(key); ok && layout.RecordKey(k, a) != key {
			t.Errorf("%s: %q is taken for the record of %q, which is %q", layout, key, k, layout.RecordKey(k, a))
		}
	})
}
