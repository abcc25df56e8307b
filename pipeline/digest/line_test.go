package digest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

const (
	md5OfX    = "9dd4e461268c8034f5c8564e155c67a6"
	sha256OfX = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
)

func TestFormat(t *testing.T) {
	for _, test := range []struct{ name, line, tag string }{
		{"a", md5OfX + "  a\n", "MD5 (a) = " + md5OfX + "\n"},
		{" a ", md5OfX + "   a \n", "MD5 ( a ) = " + md5OfX + "\n"},
		{"*a", md5OfX + "  *a\n", "MD5 (*a) = " + md5OfX + "\n"},
		{"a)", md5OfX + "  a)\n", "MD5 (a)) = " + md5OfX + "\n"},
		{"\xff", md5OfX + "  \xff\n", "MD5 (\xff) = " + md5OfX + "\n"},
		{"n\nl", `\` + md5OfX + `  n\nl` + "\n", `\MD5 (n\nl) = ` + md5OfX + "\n"},
		{"c\rr", `\` + md5OfX + `  c\rr` + "\n", `\MD5 (c\rr) = ` + md5OfX + "\n"},
		{`b\n`, `\` + md5OfX + `  b\\n` + "\n", `\MD5 (b\\n) = ` + md5OfX + "\n"},
	} {
		if got := digest.FormatLine(md5OfX, test.name); got != test.line {
			t.Errorf("FormatLine of %q:\n got %q\nwant %q", test.name, got, test.line)
		}
		if got := digest.FormatTag("md5", md5OfX, test.name); got != test.tag {
			t.Errorf("FormatTag of %q:\n got %q\nwant %q", test.name, got, test.tag)
		}
	}
}

// parseTests are lines that md5sum -c reads and, at the end, lines that it does not read.
var parseTests = []struct {
	form string
	line string
	name string // empty if it is not a checksum line
}{
	{"text", md5OfX + "  a", "a"},
	{"binary", md5OfX + " *a", "a"},
	{"single space", md5OfX + " a", "a"},
	{"single space, two characters", md5OfX + " ab", "ab"},
	{"tab", md5OfX + "\ta", "a"},
	{"two tabs", md5OfX + "\t\ta", "\ta"},
	{"tab and space", md5OfX + "\t a", "a"},
	{"space before the name", md5OfX + "   a", " a"},
	{"asterisk before the name", md5OfX + "  *a", "*a"},
	{"only a space", md5OfX + "  ", " "},
	{"only an asterisk", md5OfX + " *", "*"},
	{"space after the name", md5OfX + "  a ", "a "},
	{"indented", " \t" + md5OfX + "  a", "a"},
	{"carriage return", md5OfX + "  a\r", "a"},
	{"carriage return of the name", md5OfX + "  a\r\r", "a\r"},
	{"upper case", strings.ToUpper(md5OfX) + "  a", "a"},
	{"escaped backslash", `\` + md5OfX + `  b\\s`, `b\s`},
	{"escaped newline", `\` + md5OfX + ` *n\nl`, "n\nl"},
	{"escaped carriage return", `\` + md5OfX + `  c\rr`, "c\rr"},
	{"escape without need", `\` + md5OfX + "  a", "a"},
	{"indented escape", " \\" + md5OfX + "  a", "a"},
	{"raw backslash", md5OfX + `  b\s`, `b\s`},
	{"raw newline escape", md5OfX + `  b\n`, `b\n`},
	{"raw carriage return", md5OfX + "  c\rr", "c\rr"},
	{"not UTF-8", md5OfX + "  \xff", "\xff"},
	{"tagged", "MD5 (a) = " + md5OfX, "a"},
	{"tagged, OpenSSL", "MD5(a)= " + md5OfX, "a"},
	{"tagged, tight", "MD5(a)=" + md5OfX, "a"},
	{"tagged, wide", " MD5 (a)\t =\t " + md5OfX + "\r", "a"},
	{"tagged, upper case", "MD5 (a) = " + strings.ToUpper(md5OfX), "a"},
	{"tagged, parentheses", "MD5 ((a) = (b)) = " + md5OfX, "(a) = (b)"},
	{"tagged, escaped", `\MD5 (n\nl) = ` + md5OfX, "n\nl"},

	{"empty", "", ""},
	{"blank", " \t", ""},
	{"comment", "# " + md5OfX + "  a", ""},
	{"value alone", md5OfX, ""},
	{"no name", md5OfX + " ", ""},
	{"short value", md5OfX[1:] + "  a", ""},
	{"long value", md5OfX + "0  a", ""},
	{"not hexadecimal", "g" + md5OfX[1:] + "  a", ""},
	{"unknown escape", `\` + md5OfX + `  a\x`, ""},
	{"cut escape", `\` + md5OfX + `  a\`, ""},
	{"space after the escape mark", `\ ` + md5OfX + "  a", ""},
	{"two escape marks", `\\` + md5OfX + "  a", ""},
	{"tag in lower case", "md5 (a) = " + md5OfX, ""},
	{"tag with two spaces", "MD5  (a) = " + md5OfX, ""},
	{"tag without name", "MD5 = " + md5OfX, ""},
	{"tag with open name", "MD5 (a = " + md5OfX, ""},
	{"tag without sign", "MD5 (a) " + md5OfX, ""},
	{"tag with space at the end", "MD5 (a) = " + md5OfX + " ", ""},
	{"tag with short value", "MD5 (a) = " + md5OfX[1:], ""},
	{"tag with long value", "MD5 (a) = " + md5OfX + "0", ""},
	{"tag with unknown escape", `\MD5 (a\x) = ` + md5OfX, ""},
	{"unknown tag", "MD4 (a) = " + md5OfX, ""},
}

func TestParseLine(t *testing.T) {
	for _, test := range parseTests {
		t.Run(test.form, func(t *testing.T) {
			line, err := digest.ParseLine(test.line)
			if test.name == "" {
				if !errors.Is(err, digest.ErrNoLine) {
					t.Fatalf("%q is %+v, error %v; want ErrNoLine", test.line, line, err)
				}
				return
			}
			want := digest.Line{Value: md5OfX, Name: test.name}
			if strings.Contains(test.line, "MD5") {
				want.Algorithm = "md5"
			}
			if diff := cmp.Diff(want, line); err != nil || diff != "" {
				t.Fatalf("%q: error %v, diff:\n%s", test.line, err, diff)
			}
		})
	}
	if _, err := digest.ParseLine(md5OfX + "  a\n" + md5OfX + "  b"); !errors.Is(err, digest.ErrNoLine) {
		t.Errorf("two lines: %v", err)
	}
}

// TestParseLineAsMD5sum compares parseTests with what GNU md5sum does.
func TestParseLineAsMD5sum(t *testing.T) {
	md5sum := coreutils.Path(t, "md5sum")
	for _, test := range parseTests {
		t.Run(test.form, func(t *testing.T) {
			dir := t.TempDir()
			if test.name != "" {
				if err := os.WriteFile(filepath.Join(dir, test.name), []byte("x"), 0o600); err != nil {
					t.Skip("the file system cannot hold the name: ", err)
				}
			}
			cmd := exec.Command(md5sum, "--check", "--status")
			cmd.Dir = dir
			cmd.Stdin = strings.NewReader(test.line + "\n")
			if err := cmd.Run(); (err == nil) != (test.name != "") {
				t.Errorf("md5sum -c of %q ends with %v; ParseLine finds the name %q", test.line, err, test.name)
			}
		})
	}
}

func TestParseTags(t *testing.T) {
	for _, name := range append(digest.Computable(), "blake2b-256") {
		value := strings.Repeat("0a", digest.Size(name))
		for _, file := range []string{"f", "n\nl", `\`, "a) = (b", ""} {
			got, err := digest.ParseLine(strings.TrimSuffix(digest.FormatTag(name, value, file), "\n"))
			want := digest.Line{Value: value, Name: file, Algorithm: name}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s of %q: error %v, diff:\n%s", name, file, err, diff)
			}
		}
	}
}

// TestParseOtherTools: lines that md5sum -c does not read. The values are those of "x", from the tools named.
func TestParseOtherTools(t *testing.T) {
	const xxh3OfX = "eaf06c6480b2cd11"
	for _, test := range []struct{ tool, line, algorithm, value, name string }{
		{"OpenSSL 3", "SHA2-256(a b)= " + sha256OfX, "sha256", sha256OfX, "a b"},
		{"OpenSSL 3", `SHA2-256(b\n)= ` + sha256OfX, "sha256", sha256OfX, `b\n`},
		{"uutils", "BLAKE3-256 (a) = " + sha256OfX, "blake3", sha256OfX, "a"},
		{"xxhsum", "XXH3_" + xxh3OfX + "  a", "xxh3", xxh3OfX, "a"},
		{"xxhsum, escaped", `\XXH3_` + xxh3OfX + `  n\nl`, "xxh3", xxh3OfX, "n\nl"},
		{"xxhsum --tag", "XXH3 (a) = " + xxh3OfX, "xxh3", xxh3OfX, "a"},
		{"cksum --base64", "SHA256 (a) = LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=", "sha256", sha256OfX, "a"},
		{"cksum --base64 --untagged", "ndTkYSaMgDT1yFZOFVxnpg==  a", "", md5OfX, "a"},

		{"OpenSSL 3", "SHA2-512/256(a)= " + sha256OfX, "sha512-256", sha256OfX, "a"},
		{"OpenSSL 3", "BLAKE2B-512(a)= " + sha256OfX + sha256OfX, "blake2b", sha256OfX + sha256OfX, "a"},
		{"OpenSSL 1.1", "BLAKE2b512(a)= " + sha256OfX + sha256OfX, "blake2b", sha256OfX + sha256OfX, "a"},
		{"FreeBSD", "SHA512t256 (a) = " + sha256OfX, "sha512-256", sha256OfX, "a"},
		{"b2sum --length 48 --tag", "BLAKE2b-48 (a) = 171cdfdf84ed", "blake2b-48", "171cdfdf84ed", "a"},
		{"cksum -a blake2b --length 48 --base64", "BLAKE2b-48 (a) = fc1f97C4", "blake2b-48", "7dcd5ff7b0b8", "a"},
		{"b2sum --length 256 --tag", "BLAKE2b-256 (a) = " + sha256OfX, "blake2b-256", sha256OfX, "a"},
		{"b2sum --length 256", sha256OfX[:48] + "  a", "", sha256OfX[:48], "a"},
		{"cksum -a sha384 --base64", "SHA384 (a) = " + strings.Repeat("/0aZ", 16), "sha384", strings.Repeat("ff4699", 16), "a"},

		{"b2sum --length 8", "6a  a", "", "", ""},
		{"BLAKE2b of a length that it does not have", "BLAKE2b-257 (a) = " + sha256OfX, "", "", ""},
		{"BLAKE2b of another length than it says", "BLAKE2b (a) = 171cdfdf84ed", "", "", ""},
		{"cksum --base64 --tag, cut", "MD5 (a) = ndTkYSaMgDT1yFZOFVxnpg=", "", "", ""},
		{"OpenSSL 3", "HMAC-SHA256(a)= " + sha256OfX, "", "", ""},
		{"OpenSSL 3", "SHAKE-256(a)= " + sha256OfX, "", "", ""},
		{"xxhsum --little-endian --tag", "XXH3_LE (a) = " + xxh3OfX, "", "", ""},
		{"xxhsum, cut", "XXH3_" + xxh3OfX[2:] + "  a", "", "", ""},
		{"xxhsum, of MD5's length", "XXH3_" + md5OfX + "  a", "", "", ""},
		{"cksum -a crc", "2212294583 1 a", "", "", ""},
		{"cksum --base64, cut", "dTkYSaMgDT1yFZOFVxnpg==  a", "", "", ""},
		{"cksum --base64, with bits beyond the value", "ndTkYSaMgDT1yFZOFVxnpr==  a", "", "", ""},
	} {
		line, err := digest.ParseLine(test.line)
		want := digest.Line{Value: test.value, Name: test.name, Algorithm: test.algorithm}
		if (err == nil) != (test.name != "") || line != want {
			t.Errorf("%s: %q is %+v, error %v; want %+v", test.tool, test.line, line, err, want)
		}
		if err != nil && !errors.Is(err, digest.ErrNoLine) {
			t.Errorf("%s: the error of %q is not ErrNoLine: %v", test.tool, test.line, err)
		}
	}
}

// TestParserAnyLength: BLAKE2b has values of each length.
func TestParserAnyLength(t *testing.T) {
	p := digest.Parser{AnyLength: true}
	for _, test := range []struct{ line, value string }{
		{"6a  a", "6a"}, // b2sum --length 8
		{"/0aZ/0aZ/0aZ/0aZ/0aZ/0aZ/0aZ/0aZ/0aZ  a", strings.Repeat("ff4699", 9)}, // cksum -a blake2b --length 216 --base64 --untagged
		{sha256OfX + "  a", sha256OfX},
	} {
		if line, err := p.Parse(test.line); err != nil || line != (digest.Line{Value: test.value, Name: "a"}) {
			t.Errorf("%q: %+v, error %v", test.line, line, err)
		}
		var other digest.Parser
		if _, err := other.Parse(test.line); (err == nil) != (test.value == sha256OfX) {
			t.Errorf("%q, other lengths not expected: error %v", test.line, err)
		}
	}
}

func TestParserKeepsTheSeparator(t *testing.T) {
	double, single, binary := md5OfX+"  a", md5OfX+" a", md5OfX+" *a"
	for _, test := range []struct {
		lines []string
		names []string // "" for a line that is refused
	}{
		{[]string{double, single, binary}, []string{"a", "", "a"}},
		{[]string{single, double, binary}, []string{"a", " a", "*a"}},
		{[]string{"MD5 (a) = " + md5OfX, single, double}, []string{"a", "a", " a"}},
		{[]string{"bad", double, single}, []string{"", "a", ""}},
	} {
		var (
			parser digest.Parser
			names  []string
		)
		for _, s := range test.lines {
			line, _ := parser.Parse(s)
			names = append(names, line.Name)
		}
		if diff := cmp.Diff(test.names, names); diff != "" {
			t.Errorf("names of %q:\n%s", test.lines, diff)
		}
	}
}

func TestValid(t *testing.T) {
	for _, test := range []struct {
		algorithm, value string
		want             bool
	}{
		{"md5", md5OfX, true},
		{"sha256", sha256OfX, true},
		{"blake3", sha256OfX, true},
		{"md5", sha256OfX, false},
		{"md5", md5OfX[:30], false},
		{"md5", strings.ToUpper(md5OfX), false},
		{"md5", "g" + md5OfX[1:], false},
		{"md5", "", false},
		{"md4", md5OfX, false},
	} {
		if got := digest.Valid(test.algorithm, test.value); got != test.want {
			t.Errorf("Valid(%q, %q) is %v", test.algorithm, test.value, got)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, test := range parseTests {
		f.Add(test.line, test.name)
	}
	f.Fuzz(func(t *testing.T, s, name string) {
		line, err := digest.ParseLine(s)
		if err == nil {
			roundTrip(t, line)
		} else if !errors.Is(err, digest.ErrNoLine) {
			t.Errorf("error %v of %q", err, s)
		}
		roundTrip(t, digest.Line{Value: sha256OfX, Name: name})
		roundTrip(t, digest.Line{Value: sha256OfX, Name: name, Algorithm: "sha256"})
	})
}

// roundTrip asserts that the printed form of line is read as line.
func roundTrip(t *testing.T, line digest.Line) {
	t.Helper()
	printed := digest.FormatTag(line.Algorithm, line.Value, line.Name)
	if line.Algorithm == "" {
		printed = digest.FormatLine(line.Value, line.Name)
		if line.Name == "" {
			return // no file has this name, and no line can hold it
		}
	}
	printed, ok := strings.CutSuffix(printed, "\n")
	if !ok || strings.ContainsAny(printed, "\n\r") {
		t.Errorf("%+v is printed as %q", line, printed)
	}
	got, err := digest.ParseLine(printed)
	if diff := cmp.Diff(line, got); err != nil || diff != "" {
		t.Errorf("%+v is printed as %q and read with error %v, diff:\n%s", line, printed, err, diff)
	}
}
