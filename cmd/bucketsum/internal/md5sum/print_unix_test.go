//go:build unix

package md5sum_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

const (
	md5OfX    = "9dd4e461268c8034f5c8564e155c67a6"
	md5OfNone = "d41d8cd98f00b204e9800998ecf8427e"
)

// TestPrintsAsTheField has what the test suites of GNU coreutils, uutils, busybox and FreeBSD ask of the programs that print
// checksums, as far as it is about printing, and what sum adds.
func TestPrintsAsTheField(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   string // split at spaces
		stdin  string
		stdout string
		say    string // all of stderr without the program, or part of a mistake
		usage  bool
	}{
		// The vectors of RFC 1321 and what all suites begin with.
		{name: "empty input", stdout: md5OfNone + "  -\n"},
		{name: "one letter", stdin: "a", stdout: "0cc175b9c0f1b6a831c399e269772661  -\n"},
		{name: "abc, SHA-224", args: "-a sha224", stdin: "abc", stdout: "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7  -\n"},
		{name: "SHA-3 of cksum, with its length", args: "-a sha3 -l 224 --tag -", stdout: "SHA3-224 (-) = 6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7\n"},
		{name: "SHA-2 of cksum, with its length", args: "-a sha2 -l 256 x", stdout: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  x\n"},
		{name: "SHA-512/256, which FreeBSD has", args: "-a sha512-256", stdout: "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a  -\n"},

		{name: "binary", args: "-b x", stdout: md5OfX + " *x\n"},
		{name: "binary of standard input", args: "--binary", stdout: md5OfNone + " *-\n"},
		{name: "text after binary", args: "-b -t x", stdout: md5OfX + "  x\n"},
		{name: "binary after text", args: "-t -b x", stdout: md5OfX + " *x\n"},
		{name: "tag", args: "--tag x", stdout: "MD5 (x) = " + md5OfX + "\n"},
		{name: "tag after text", args: "--text --tag x", stdout: "MD5 (x) = " + md5OfX + "\n"},
		{name: "text after tag", args: "--tag --text x", usage: true, say: "--tag and --text exclude each other"},
		{name: "tag with binary", args: "--tag -b x", stdout: "MD5 (x) = " + md5OfX + "\n"},
		{name: "tag of a name with parentheses", args: "--tag (a)=(b)", stdout: "MD5 ((a)=(b)) = " + md5OfX + "\n"},
		{name: "untagged after tag", args: "--tag --untagged x", stdout: md5OfX + "  x\n"},
		{name: "tag after untagged", args: "--untagged --tag x", stdout: "MD5 (x) = " + md5OfX + "\n"},
		{name: "untagged of several", args: "-a md5,crc32 --untagged x", stdout: md5OfX + "  x\n8cdc1683  x\n"},
		{name: "binary after untagged", args: "--tag --untagged -b x", stdout: md5OfX + " *x\n"},
		{name: "binary before tag and untagged", args: "-b --tag --untagged x", stdout: md5OfX + "  x\n"},
		{name: "the flag of cksum", args: "--algorithm=md5 --algorithm sha1 --untagged x", stdout: md5OfX + "  x\n11f6ad8ec52a2984abaafd7c3b516503785c2072  x\n"},
		{name: "escapes", args: "n\nl c\rr b\\s", stdout: `\` + md5OfX + "  n\\nl\n\\" + md5OfX + "  c\\rr\n\\" + md5OfX + "  b\\\\s\n"},
		{name: "escapes in a tag", args: "--tag n\nl", stdout: `\MD5 (n\nl) = ` + md5OfX + "\n"},
		{name: "zero", args: "-z n\nl x", stdout: md5OfX + "  n\nl\x00" + md5OfX + "  x\x00"},
		{name: "zero and tag", args: "-z --tag n\nl", stdout: "MD5 (n\nl) = " + md5OfX + "\x00"},
		{name: "after --", args: "-- -x", stdout: md5OfX + "  -x\n"},

		{name: "missing", args: "nosuch x", stdout: md5OfX + "  x\n", say: "nosuch: No such file or directory\n"},
		{name: "folder", args: "folder x", stdout: md5OfX + "  x\n", say: "folder: Is a directory\n"},
		{name: "below a file", args: "x/y", say: "x/y: Not a directory\n"},
		{name: "empty name, as an unset variable makes it", args: "x ''", stdout: md5OfX + "  x\n", say: "'': No such file or directory\n"},

		{name: "b2sum", args: "-a blake2b --tag", stdout: "BLAKE2b (-) = 786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce\n"},
		{name: "b2sum of a length", args: "-a blake2b --tag -l 128", stdout: "BLAKE2b-128 (-) = cae66941d9efbd404e4d88758ea67670\n"},
		{name: "b2sum of the full length", args: "-a blake2b -l 512 --tag --base64", stdout: "BLAKE2b (-) = eGoC90IBWQPGxv2FJVLScpEvR0DhWEdhiobiF/cfVBnSXhAxr+5YUxOJZESTTrBLkDpoWxRIt1XVb3Aa/pvizg==\n"},
		{name: "b2sum, length 0", args: "-a blake2b-8 -l 0", stdout: "2e  -\n"},
		{name: "b2sum, odd length", args: "-a blake2b -l 12", usage: true, say: `blake2b has no values of "12" bits`},
		{name: "b2sum, too long", args: "-a blake2b -l 520", usage: true, say: "multiples of 8 up to 512"},
		{name: "a length of MD5", args: "-a md5 -l 128", usage: true, say: "--length is only for"},
		{name: "SHA-3 without its length", args: "-a sha3", usage: true, say: "needs a --length"},
		{name: "SHA-3 of a length that it has not", args: "-a sha3 -l 128", usage: true, say: "needs a --length of 224, 256, 384 or 512"},

		{name: "two lengths", args: "-a sha3 -l 253 -l 224 --tag", stdout: "SHA3-224 (-) = 6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7\n"},

		{name: "base64", args: "--base64 -a sha256", stdout: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=  -\n"},
		{name: "base64 without padding", args: "--base64 -a sha384 --tag", stdout: "SHA384 (-) = OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb\n"},
		{name: "raw", args: "--raw -a crc32 x", stdout: "\x8c\xdc\x16\x83"},
		{name: "raw and base64", args: "--raw --base64 x", usage: true, say: "--base64 and --raw exclude each other"},
		{name: "raw, with a tag", args: "--raw --tag -a crc32 x", stdout: "\x8c\xdc\x16\x83"},
		{name: "raw of two files", args: "--raw x x", usage: true, say: "one checksum of one file"},
		{name: "raw of two algorithms", args: "--raw -a md5,sha1 x", usage: true, say: "one checksum of one file"},
		{name: "raw of a folder", args: "--raw -r folder", usage: true, say: "one checksum of one file"},

		{name: "tags of CRCs and xxHash", args: "-a crc32,crc32c,xxh32,xxh64,xxh3,xxh128 --untagged", stdout: "00000000  -\n00000000  -\n02cc5d05  -\nef46db3751d8e999  -\n2d06800538d394c2  -\n99aa06d3014798d86001c324468d497f  -\n"},
		{name: "XXH3 has its tag", args: "-a xxh3 x", stdout: "XXH3 (x) = eaf06c6480b2cd11\n"},
		{name: "so has SM3", args: "-a sm3", stdout: "SM3 (-) = 1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b\n"},

		{name: "SFV", args: "--format sfv x folder/z", stdout: "x 8CDC1683\nfolder/z 8CDC1683\n"},
		{name: "SFV of names that it cannot hold", args: "--format sfv n\nl ;c x", stdout: "x 8CDC1683\n", say: "\"n\\nl\": SFV cannot hold this name\n;c: SFV cannot hold this name\n"},
		{name: "SFV of MD5", args: "--format sfv -a md5 x", usage: true, say: "--format sfv has only crc32"},
		{name: "SFV with tags", args: "--format sfv --tag x", usage: true, say: "has its own form"},
		{name: "JSON", args: "--format json -a md5,crc32 x nosuch", stdout: `{"name":"x","size":1,"checksums":{"crc32":"8cdc1683","md5":"` + md5OfX + `"}}` + "\n" +
			`{"name":"nosuch","error":"No such file or directory"}` + "\n", say: "nosuch: No such file or directory\n"},
		{name: "JSON of odd names", args: "--format json n\nl \xff<&>", stdout: `{"name":"n\nl","size":1,"checksums":{"md5":"` + md5OfX + `"}}` + "\n" +
			`{"name":"\ufffd<&>","name_base64":"/zwmPg==","size":1,"checksums":{"md5":"` + md5OfX + `"}}` + "\n"},
		{name: "JSON, zero", args: "--format json -z x", usage: true, say: "has its own form"},

		{name: "recursive", args: "-r folder x", stdout: md5OfX + "  folder/sub/y\n" + md5OfX + "  folder/z\n" + md5OfX + "  x\n"},
		{name: "recursive, with slashes", args: "-r folder//", stdout: md5OfX + "  folder/sub/y\n" + md5OfX + "  folder/z\n"},
		{name: "recursive in another folder", args: "-C folder -r", stdout: md5OfX + "  sub/y\n" + md5OfX + "  z\n"},
		{name: "recursive in another folder, named", args: "-C folder/ -r .", stdout: md5OfX + "  sub/y\n" + md5OfX + "  z\n"},
		{name: "in another folder", args: "-C folder z sub/y nosuch -", stdout: md5OfX + "  z\n" + md5OfX + "  sub/y\n" + md5OfNone + "  -\n", say: "nosuch: No such file or directory\n"},
		{name: "in no folder", args: "-C nosuch z", say: "z: No such file or directory\n"},
		{name: "recursive, nothing there", args: "-r nosuch empty", say: "nosuch: No such file or directory\n"},

		{name: "an unknown algorithm", args: "-a md4 x", usage: true, say: `unknown algorithm "md4"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			inFolder(t, map[string]string{
				"x": "x", "(a)=(b)": "x", "-x": "x", "n\nl": "x", "c\rr": "x", `b\s`: "x", ";c": "x", "\xff<&>": "x",
				"folder/z": "x", "folder/sub/y": "x",
			})
			if err := os.Mkdir("empty", 0o700); err != nil {
				t.Fatal(err)
			}
			// What recursion leaves out.
			if err := os.Symlink("..", "folder/up"); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo("folder/pipe", 0o600); err != nil {
				t.Fatal(err)
			}
			var args []string
			if test.args != "" {
				args = strings.Split(strings.ReplaceAll(test.args, "''", ""), " ")
			}
			got := run(t, test.stdin, args...)
			if test.usage {
				if got.Status == 0 || got.Stdout != "" || !strings.Contains(got.Stderr, test.say) {
					t.Errorf("got %+v, want the mistake %q", got, test.say)
				}
				return
			}
			want := coreutils.Result{Stdout: test.stdout}
			for line := range strings.Lines(test.say) {
				want.Stderr += "bucketsum sum: " + line
				want.Status = 1
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFamiliesInLists: with --check, each line of sha2 or sha3 shows its length.
func TestFamiliesInLists(t *testing.T) {
	inFolder(t, map[string]string{"x": "x"})
	for _, family := range []string{"sha2", "sha3"} {
		for _, bits := range []string{"224", "256", "384", "512"} {
			for _, form := range []string{"--tag", "--untagged", "--base64"} {
				list := run(t, "", "-a", family, "-l", bits, form, "x")
				if got := run(t, list.Stdout, "-c", "--strict", "-a", family); got.Stdout != "x: OK\n" || got.Stderr != "" {
					t.Errorf("%s of %s bits with %s: %+v", family, bits, form, got)
				}
			}
		}
	}
}

// TestDirectoryOfLists: names in a list are relative to --directory, the list itself is not.
func TestDirectoryOfLists(t *testing.T) {
	inFolder(t, map[string]string{"folder/a": "x", "a": "y", "list": md5OfX + "  a\n"})
	for _, args := range [][]string{{"-C", "folder", "--check", "list"}, {"-cC", "folder/", "--", "./list"}} {
		if got := run(t, "", args...); got.Stdout != "a: OK\n" || got.Status != 0 {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if got := run(t, "", "--check", "list"); got.Stdout != "a: FAILED\n" {
		t.Errorf("without it: %+v", got)
	}
}
