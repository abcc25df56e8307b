package manifest_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// values of some algorithms, not of any content.
var (
	md5Value    = strings.Repeat("1a", 16)
	sha1Value   = strings.Repeat("2b", 20)
	sha256Value = strings.Repeat("3c", 32)
	sha512Value = strings.Repeat("4d", 64)
	shortValue  = strings.Repeat("5e", 8)
	crcValue    = strings.Repeat("6f", 4)
)

// brief is an entry in one line: its line, its name and its checksums.
func brief(entries []manifest.Entry) []string {
	var lines []string
	for _, e := range entries {
		s := fmt.Sprintf("%d %q", e.Line, e.Name)
		if e.Logical {
			s += " logical"
		}
		if e.Size != pipeline.UnknownSize {
			s += fmt.Sprintf(" %d bytes", e.Size)
		}
		for _, a := range slices.Sorted(maps.Keys(e.Checksums)) {
			s += fmt.Sprintf(" %s=%s", a, e.Checksums[a][:4])
		}
		lines = append(lines, s)
	}
	return lines
}

const fullInventory = `{
  "id": "urn:x", "type": "https://ocfl.io/1.1/spec/#inventory", "digestAlgorithm": "sha512",
  "head": "v2",
  "fixity": {
    "md5": { "MD5VALUE": [ "v1/content/a", "v1/content/b" ] },
    "whirlpool": { "00": [ "v1/content/a" ] }
  },
  "manifest": {
    "SHA512VALUE": [ "v1/content/a",
      "v2/content/\u00e9 \n" ]
  },
  "versions": {
    "v1": { "created": "2026-01-01T00:00:00Z", "state": { "SHA512VALUE": [ "old" ] } },
    "v2": { "created": "2026-01-02T00:00:00Z", "user": {"name": [1, {"x": null}]}, "state": { "SHA512VALUE": [ "a", "copy of a" ] } }
  }
}
`

func TestForms(t *testing.T) {
	fill := strings.NewReplacer("MD5VALUE", md5Value, "SHA1VALUE", sha1Value, "SHA256VALUE", sha256Value, "SHA512VALUE", sha512Value, "SHORTVALUE", shortValue, "CRCVALUE", crcValue)
	for _, test := range []struct {
		name       string
		list       string // its name
		text       string
		algorithms []string
		form       manifest.Form
		entries    []string
		faults     map[int]string
		notes      []string
		err        string // part of it
	}{
		{
			name: "comments and blank lines", text: "# MD5VALUE  no\n\n\r\nMD5VALUE  a\n", form: manifest.Sums,
			entries: []string{`4 "a" md5=1a1a`},
		},
		{
			name: "improper lines", text: "MD5VALUE  a\nMD5VALUE b\nnothing\n" + strings.Repeat("x", 70000) + "\nMD5VALUE  c", form: manifest.Sums,
			entries: []string{`1 "a" md5=1a1a`, `5 "c" md5=1a1a`},
			faults: map[int]string{
				2: "not a checksum line: a single separator, but earlier lines have two spaces",
				3: "not a checksum line: expected a value, a separator and a name", 4: "the line is too long",
			},
		},
		{
			name: "byte order mark", text: "\ufeffMD5VALUE  é\n", form: manifest.Sums, entries: []string{`1 "é" md5=1a1a`},
		},
		{
			name: "UTF-16, little endian", text: utf16Text(false, "MD5VALUE  é\U0001F600\r\nMD5VALUE  b\r\n", fill), form: manifest.Sums,
			entries: []string{`1 "é😀" md5=1a1a`, `2 "b" md5=1a1a`},
		},
		{
			name: "UTF-16, big endian", text: utf16Text(true, "MD5VALUE  é\r\n", fill), form: manifest.Sums, entries: []string{`1 "é" md5=1a1a`},
		},
		{
			name: "not UTF-8", text: "MD5VALUE  \xff\xfe\n", form: manifest.Sums, entries: []string{`1 "\xff\xfe" md5=1a1a`},
		},
		{
			name: "64 digits are of SHA-256", text: "SHA256VALUE  a\nSHA256VALUE  b\n", form: manifest.Sums,
			entries: []string{`1 "a" sha256=3c3c`, `2 "b" sha256=3c3c`},
			notes:   []string{"values of 64 digits were taken for sha256; if they are of blake3, say so with --algorithms"},
		},
		{
			name: "64 digits in B3SUMS", list: "x/B3SUMS", text: "SHA256VALUE  a\n", form: manifest.Sums, entries: []string{`1 "a" blake3=3c3c`},
		},
		{
			name: "64 digits in SHA256SUMS", list: "SHA256SUMS", text: "SHA256VALUE  a\n", form: manifest.Sums, entries: []string{`1 "a" sha256=3c3c`},
		},
		{
			name: "64 digits, chosen", list: "sha256sums", text: "SHA256VALUE  a\n", algorithms: []string{"blake3", "md5"}, form: manifest.Sums, entries: []string{`1 "a" blake3=3c3c`},
		},
		{
			name: "64 digits, two chosen", text: "SHA256VALUE  a\n", algorithms: []string{"blake3", "sha256"}, form: manifest.Sums,
			faults: map[int]string{1: "a value of 64 digits may be of blake3 or sha256; name one with --algorithms"},
		},
		{
			name: "other length than chosen", text: "SHA256VALUE  a\n", algorithms: []string{"md5"}, form: manifest.Sums,
			faults: map[int]string{1: "no algorithm of --algorithms has values of 64 digits; of that length are those of sha256, blake3"},
		},
		{
			name: "8 and 16 digits", text: "CRCVALUE  a\nSHORTVALUE  b\n", form: manifest.Sums,
			faults: map[int]string{
				1: "a value of 8 digits may be of crc32c; name one with --algorithms",
				2: "a value of 16 digits may be of crc64nvme or xxh3; name one with --algorithms",
			},
		},
		{
			name: "16 digits, named", list: "photos.xxh3", text: "SHORTVALUE  b\n", form: manifest.Sums, entries: []string{`1 "b" xxh3=5e5e`},
		},
		{
			name: "the name says BLAKE2", list: "B2SUMS", text: "SHA512VALUE  b\n", form: manifest.Sums,
			faults: map[int]string{1: "the name of the list says blake2b, which is not one of md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3; if it is one of these, name it with --algorithms"},
		},
		{
			name: "tags of several algorithms, one chosen", text: "MD5 (a) = MD5VALUE\nSHA1 (a) = SHA1VALUE\n", algorithms: []string{"sha1"}, form: manifest.Sums,
			entries: []string{`2 "a" sha1=2b2b`}, faults: map[int]string{1: "md5 is not one of --algorithms"}, notes: []string{"checksums of md5 were left out: 1"},
		},

		{
			name: "BagIt", list: "bag/manifest-sha256.txt", form: manifest.BagIt,
			text:    "SHA256VALUE  data/a b\nSHA256VALUE\tdata/100%25%20done%0a%0D.txt\r\nSHA256VALUE *data/c\n\nSHA256VALUE ./data/d \n",
			entries: []string{`1 "data/a b" sha256=3c3c`, `2 "data/100%%20done\n\r.txt" sha256=3c3c`, `3 "data/c" sha256=3c3c`, `5 "data/d " sha256=3c3c`},
		},
		{
			name: "BagIt, lies", list: "tagmanifest-md5.txt", form: manifest.BagIt,
			text:    "MD5VALUE ../x\nMD5VALUE /etc/x\nMD5VALUE ~/x\nMD5VALUE data/../../x\nMD5VALUE \nMD5VALUE\nSHA1VALUE data/x\n# x\nMD5VALUE data/..x\n",
			entries: []string{`9 "data/..x" md5=1a1a`},
			faults: map[int]string{
				1: "the name leads out of the bag", 2: "the name leads out of the bag", 3: "the name leads out of the bag", 4: "the name leads out of the bag",
				5: "there is no name", 6: "expected a value, spaces and a name", 7: "expected 32 hexadecimal digits for md5", 8: "expected 32 hexadecimal digits for md5",
			},
		},
		{name: "BagIt of an unknown algorithm", list: "manifest-sha384.txt", text: "", err: "a BagIt manifest of sha384, which is not one of md5,"},
		{name: "not BagIt", list: "mymanifest-md5.txt", text: "MD5VALUE  100%25\n", form: manifest.Sums, entries: []string{`1 "100%25" md5=1a1a`}},

		{
			name: "hashdeep", form: manifest.Hashdeep,
			text:    "%%%% HASHDEEP-1.0\n%%%% size,md5,tiger,sha256,filename\n## Invoked\n3,MD5VALUE,00,SHA256VALUE,a, b\nx,MD5VALUE,00,SHA256VALUE,c\n-1,MD5VALUE,00,SHA256VALUE,c\n3,MD5VALUE\n3,zz,00,SHA256VALUE,c\n3,MD5VALUE,00,SHA256VALUE,\n%%%% size,filename\n3,c\n",
			entries: []string{`4 "a, b" 3 bytes md5=1a1a sha256=3c3c`},
			faults: map[int]string{
				5: "the size is not a number", 6: "the size is not a number", 7: "expected 5 values", 8: "expected 32 hexadecimal digits for md5", 9: "there is no name",
				10: "expected columns from size to filename", 11: "the header does not name the columns",
			},
			notes: []string{"checksums of tiger were left out: 1"},
		},

		{
			name: "OCFL", list: "inventory.json", form: manifest.OCFL, text: fullInventory,
			entries: []string{
				`5 "v1/content/a" md5=1a1a`, `5 "v1/content/b" md5=1a1a`, `9 "v1/content/a" sha512=4d4d`, `10 "v2/content/é \n" sha512=4d4d`,
				`14 "a" logical sha512=4d4d`, `14 "copy of a" logical sha512=4d4d`,
			},
			notes: []string{"checksums of whirlpool were left out: 1"},
		},
		{
			name: "OCFL, chosen", list: "inventory.json", form: manifest.OCFL, text: fullInventory, algorithms: []string{"md5"},
			entries: []string{`5 "v1/content/a" md5=1a1a`, `5 "v1/content/b" md5=1a1a`},
			notes:   []string{"checksums of sha512 were left out: 4", "checksums of whirlpool were left out: 1"},
		},
		{
			name: "OCFL, improper value", form: manifest.OCFL, text: `{"digestAlgorithm":"sha256","head":"v1","manifest":{"MD5VALUE":["a"],"SHA256VALUE":["","b"]},"versions":{"v1":{"state":{}}}}`,
			entries: []string{`1 "b" sha256=3c3c`}, faults: map[int]string{1: "the path is empty"},
		},
		{name: "OCFL, no head", form: manifest.OCFL, text: `{"digestAlgorithm":"sha256","versions":{"v1":{}}}`, err: "line 1: its versions come before its head"},
		{name: "OCFL, no algorithm", form: manifest.OCFL, text: "{\n\"manifest\":{}}", err: "line 2: its paths come before its digestAlgorithm"},
		{name: "OCFL, wrong head", form: manifest.OCFL, text: `{"digestAlgorithm":"sha256","head":"v3","versions":{"v1":{}}}`, err: `it has no version "v3"`},
		{name: "OCFL, cut", form: manifest.OCFL, text: fullInventory[:len(fullInventory)/2], err: "the JSON document ends too early", entries: []string{`5 "v1/content/a" md5=1a1a`, `5 "v1/content/b" md5=1a1a`}, notes: []string{"checksums of whirlpool were left out: 1"}},
		{name: "OCFL, broken", form: manifest.OCFL, text: `{"digestAlgorithm":"sha256","manifest":{]`, err: "line 1: it is not JSON"},
		{name: "OCFL, other types", form: manifest.OCFL, text: `{"digestAlgorithm":{}}`, err: "expected a text"},
		{name: "OCFL, a number for paths", form: manifest.OCFL, text: `{"digestAlgorithm":"md5","manifest":{"MD5VALUE":1}}`, err: "expected a list"},
		{name: "OCFL, more", form: manifest.OCFL, text: `{"digestAlgorithm":"md5","head":"v1","versions":{"v1":{}}} {}`, err: "something follows the JSON document"},
		{name: "OCFL, deep", form: manifest.OCFL, text: `{"manifest_":` + strings.Repeat("[", 200) + `,"digestAlgorithm":`, err: "it is nested too deeply"},
		{name: "OCFL, long text", form: manifest.OCFL, text: `{"digestAlgorithm":"` + strings.Repeat("x", 1<<20) + `"}`, err: "a text in it is too long"},

		{
			name: "copyrite", list: "s/a.bam.sums", form: manifest.Copyrite, text: `{"version":"1","size":7,"md5-aws-5242880b":"x-5242880b","crc64nvme":"SHORTVALUE","md5":"MD5VALUE","xxhash3":"SHORTVALUE"}`,
			entries: []string{`1 "a.bam" 7 bytes crc64nvme=5e5e md5=1a1a xxh3=5e5e`}, notes: []string{"checksums of md5-aws-5242880b were left out: 1"},
		},
		{name: "copyrite, nothing known", list: "a.sums", form: manifest.Copyrite, text: `{"version":"1","sha3":"00"}`, faults: map[int]string{1: "it has no checksum that can be compared"}, notes: []string{"checksums of sha3 were left out: 1"}},
		{name: "copyrite, improper", list: "a.sums", form: manifest.Copyrite, text: "{\"version\":\"1\",\n\"md5\":\"00\"}", faults: map[int]string{2: "expected 32 hexadecimal digits for md5"}},
		{name: "copyrite, negative size", list: "a.sums", form: manifest.Copyrite, text: `{"size":-1,"md5":"MD5VALUE"}`, faults: map[int]string{1: `"size" is not a checksum`}},
		{name: "other JSON", list: "a.json", text: `{"a":1}`, err: "it is JSON, but neither an OCFL inventory"},

		{
			name: "rows", form: manifest.Rows,
			text:    `{"bucket":"b","key":"a\nb","state":"ok","size":3,"checksums":{"md5":"MD5VALUE","sha256":"SHA256VALUE"}}` + "\n" + `{"bucket":"b","key":"c","state":"mismatch","checksums":{"md5":"MD5VALUE"}}` + "\n" + `{"bucket":"b","key":"d","state":"ok"}` + "\n{}\nx\n",
			entries: []string{`1 "a\nb" 3 bytes md5=1a1a sha256=3c3c`},
			faults:  map[int]string{2: `the state of the row is "mismatch", so it has no proven checksum`, 3: "the row has no checksum", 4: "the row has no key", 5: "it is not a row in JSON"},
		},
		{name: "empty", text: "", form: manifest.Sums},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := read(test.list, fill.Replace(test.text), test.algorithms...)
			if got.form != test.form {
				t.Errorf("the form is %q, want %q", got.form, test.form)
			}
			if diff := cmp.Diff(test.entries, brief(got.entries)); diff != "" {
				t.Error("entries:", diff)
			}
			if test.faults == nil {
				test.faults = map[int]string{}
			}
			if diff := cmp.Diff(test.faults, got.faults); diff != "" {
				t.Error("faults:", diff)
			}
			if diff := cmp.Diff(test.notes, got.notes); diff != "" {
				t.Error("notes:", diff)
			}
			if (got.err != nil) != (test.err != "") || got.err != nil && !strings.Contains(got.err.Error(), test.err) {
				t.Errorf("error %v, want %q", got.err, test.err)
			}
		})
	}
}

func TestLogicalPathsAreLeftOut(t *testing.T) {
	r, err := manifest.NewReader(strings.NewReader(strings.ReplaceAll(fullInventory, "SHA512VALUE", sha512Value)), manifest.Options{Algorithms: []string{"sha512"}})
	if err != nil {
		t.Fatal(err)
	}
	var entries []manifest.Entry
	for e, err := range r.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if diff := cmp.Diff([]string{`9 "v1/content/a" sha512=4d4d`, `10 "v2/content/é \n" sha512=4d4d`}, brief(entries)); diff != "" {
		t.Error(diff)
	}
}

// utf16Text returns a text as programs of Windows write it.
func utf16Text(bigEndian bool, s string, fill *strings.Replacer) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune("\ufeff" + fill.Replace(s))) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		b.Write([]byte{low, high})
	}
	return b.String()
}

// TestReadFaults: a list that breaks off is not a shorter list.
func TestReadFaults(t *testing.T) {
	broken := errors.New("connection reset")
	for _, text := range []string{
		"", strings.Repeat(md5Value+"  a\n", 100_000), `{"digestAlgorithm":"md5","head":"v1","manifest":{"` + md5Value + `":["a"]`,
	} {
		in := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		r, err := manifest.NewReader(in, manifest.Options{})
		if err == nil {
			for _, last := range r.Entries() {
				err = last
			}
		}
		if !errors.Is(err, manifest.ErrRead) || !errors.Is(err, broken) {
			t.Errorf("%.20q…: the last error is %v", text, err)
		}
	}
}

// endless yields a text again and again.
type endless struct {
	text string
	left int64
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= int64(n)
	return n, nil
}

// TestBoundedMemory reads 16 MiB of lists whose lines, or texts, never end, or are many.
func TestBoundedMemory(t *testing.T) {
	for _, test := range []struct{ name, begin, text string }{
		{"one line", "", "x"},
		{"lines", "", md5Value + "  a\n"},
		{"BagIt", "", md5Value + "  data/a\n"},
		{"comments", "", "#" + strings.Repeat(" ", 98) + "\n"},
		{"hashdeep", "%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n", "1," + md5Value + ",a\n"},
		{"OCFL", `{"digestAlgorithm":"md5","manifest":{"x":[""`, `,"v1/content/a"`},
		{"OCFL, names of algorithms", `{"digestAlgorithm":"md5","fixity":{"":{}`, `,"x":{"00":[""]}`},
		{"OCFL, one text", `{"digestAlgorithm":"`, "x"},
		{"OCFL, spaces", `{"digestAlgorithm":`, " \n"},
		{"OCFL, nested", `{"digestAlgorithm":"md5","x":[`, `[`},
		{"SFV", "", "a 0a0a0a0a\n"},
		{"Format-List, one value", "Algorithm : MD5\nHash : ", "00\n   "},
		{"CSV, one field", "Algorithm,Hash,Path\n", `"x""`},
		{"JSON of sum", "", `{"name":"a","checksums":{"md5":"` + md5Value + `"}}` + "\n"},
		{"unknown algorithms", "", "WHIRLPOOL (a) = " + md5Value + "\n"},
		{"rows", "", `{"bucket":"b","key":"k","state":"ok","checksums":{"md5":"` + md5Value + `"}}` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := io.MultiReader(strings.NewReader(test.begin), &endless{text: strings.Repeat(test.text, 1+4096/len(test.text)), left: 16 << 20})
			name := "list"
			if test.name == "BagIt" {
				name = "manifest-md5.txt"
			}
			r, err := manifest.NewReader(in, manifest.Options{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			live := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before, most, n := live(), uint64(0), 0
			for range r.Entries() {
				if n++; n%20_000 == 0 {
					most = max(most, live())
				}
			}
			if most = max(most, live()); most > before+4<<20 {
				t.Errorf("the heap grew from %d to %d bytes", before, most)
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		md5Value + "  a\n", "MD5 (a) = " + md5Value, "\ufeff" + md5Value + " *a\r\n", md5Value + "  data/%0A%25\n", fullInventory,
		"; x\r\na b 0A0a0a0a\r\n", "SHA2-256(a)= " + sha256Value + "\nWHIRLPOOL (a) = " + md5Value + "\n", "\xff\xfeA\x00", md5Value + " *a\\b\r\n", crcValue + "  a\n" + shortValue + "  b\n",
		"\r\nAlgorithm       Hash     Path\r\n---------       ----     ----\r\nMD5  " + md5Value + "    C:\\a\r\nMD5 1a1a... b\r\n",
		"Algorithm : MD5\r\nHash      : " + md5Value[:20] + "\r\n            " + md5Value[20:] + "\r\nPath      : a\r\n            b\r\n\r\nPath : a\nHash : " + sha256Value,
		"#TYPE x\n\"Algorithm\",\"Hash\",\"Path\"\n\"MD5\",\"" + md5Value + "\",\"C:\\a\"\n", "Hash;Path\n" + md5Value + ";a\n", "Hash;Hash\n", "Hash,,\n\"\n",
		"MD5 hash of file a:\n1a 1a 1a\nCertUtil: -hashfile command completed successfully.\n", `{"name":"a","name_base64":"/w==","checksums":{"md5":"` + md5Value + `"}}`,
		"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n1," + md5Value + ",a\n", `{"version":"1","size":7,"md5":"` + md5Value + `"}`,
		`{"bucket":"b","key":"k","state":"ok","checksums":{"md5":"` + md5Value + `"}}`,
	} {
		for _, name := range []string{"list", "manifest-md5.txt", "a.sums", "inventory.json", "a.sfv", "B2SUMS"} {
			f.Add(name, seed)
		}
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		got := readKnown(digest.Computable(), name, text)
		lines := strings.Count(text, "\n") + 1
		for _, e := range got.entries {
			if len(e.Checksums) == 0 || e.Line < 1 || e.Line > lines || e.Name == "" && got.form != manifest.Sums && got.form != manifest.Copyrite || e.Size < pipeline.UnknownSize {
				t.Errorf("entry %+v", e)
			}
			for a, v := range e.Checksums {
				if !digest.Valid(a, v) {
					t.Errorf("%q is no value of %s", v, a)
				}
			}
		}
		if len(got.notes) > 40 {
			t.Errorf("%d notes", len(got.notes))
		}
		for line := range got.faults {
			if line < 1 || line > lines {
				t.Errorf("a fault on line %d of %d", line, lines)
			}
		}
	})
}
