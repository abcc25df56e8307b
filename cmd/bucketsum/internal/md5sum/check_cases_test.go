//go:build unix

package md5sum_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// TestCheckAsOthersTestIt has the cases with which coreutils, uutils, busybox and FreeBSD test their --check. The files f and
// g are empty, a has "a" in it, and wrong is not what its name says. stderr has one line for each message of GNU.
func TestCheckAsOthersTestIt(t *testing.T) {
	const (
		none       = "d41d8cd98f00b204e9800998ecf8427e"
		noneSHA1   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
		noneSM3    = "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"
		noneBLAKE2 = "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce"
		noneSHA384 = "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
		other      = "00000000000000000000000000000000"
		good       = none + "  f\n"
		mixed      = "SHA384 (f) = " + noneSHA384 + "\nBLAKE2b (f) = " + noneBLAKE2 + "\nSM3 (f) = " + noneSM3 + "\n"
		noLines    = "no properly formatted checksum lines found"
		improper   = "WARNING: 1 line is improperly formatted\n"
		improper2  = "WARNING: 2 lines are improperly formatted\n"
		improper3  = "WARNING: 3 lines are improperly formatted\n"
		mismatch   = "WARNING: 1 computed checksum did NOT match\n"
		mismatch2  = "WARNING: 2 computed checksums did NOT match\n"
		unread     = "WARNING: 1 listed file could not be read\n"
		unread2    = "WARNING: 2 listed files could not be read\n"
		missing    = "nosuch: No such file or directory\n"
	)
	for _, test := range []struct {
		name, flags, list, stdout, stderr string
		failed                            bool
	}{
		{name: "one line", list: good, stdout: "f: OK\n"},
		{name: "line end of Windows", list: none + "  f\r\n", stdout: "f: OK\n"},
		{name: "binary", list: none + " *f\n", stdout: "f: OK\n"},
		{name: "no line end", list: none + "  f", stdout: "f: OK\n"},
		{name: "upper case", list: strings.ToUpper(none) + "  f\n", stdout: "f: OK\n"},
		{name: "strict, blank line", flags: "--strict", list: good + "\n", stdout: "f: OK\n"},
		{name: "strict, improper line first", flags: "--strict", list: "ERR\n" + good, stdout: "f: OK\n", stderr: improper, failed: true},
		{name: "strict, three improper lines", flags: "--strict", list: "ERR\nERR\n" + good + "ERR\n", stdout: "f: OK\n", stderr: improper3, failed: true},
		{name: "blank lines and an improper one", list: good + "\n" + good + "invalid\n\n", stdout: "f: OK\nf: OK\n", stderr: improper},
		{name: "a line of spaces", list: good + "  \n", stdout: "f: OK\n", stderr: improper},
		{name: "status, right", flags: "--status", list: good},
		{name: "status, wrong", flags: "--status", list: none + "  a\n", failed: true},
		{name: "status, wrong, BSD", flags: "--status", list: "MD5 (f) = " + other + "\n", failed: true},
		{name: "status, wrong, OpenSSL", flags: "--status", list: "MD5(f)= " + other + "\n", failed: true},
		{name: "quiet, right", flags: "--quiet", list: good},
		{name: "quiet, wrong", flags: "--quiet", list: none + "  a\n", stdout: "a: FAILED\n", stderr: mismatch, failed: true},
		{name: "several wrong", list: none + "  a\n" + none + "  a\ninvalid\n", stdout: "a: FAILED\na: FAILED\n", stderr: "standard input: values of 32 digits were taken for md5; if they are of xxh128 or blake2b-128, say so with --algorithms\n" + improper + mismatch2, failed: true},
		{name: "several wrong, warn", flags: "--warn -a md5", list: none + "  a\n" + none + "  a\ninvalid\n", stdout: "a: FAILED\na: FAILED\n",
			stderr: "standard input: 3: improperly formatted MD5 checksum line\n" + improper + mismatch2, failed: true},
		{name: "warn, right", flags: "--warn", list: good + good + "invalid\n", stdout: "f: OK\nf: OK\n", stderr: "standard input: 3: improperly formatted checksum line\n" + improper},
		{name: "right, wrong, right", flags: "--warn", list: good + none + "  a\n" + good, stdout: "f: OK\na: FAILED\nf: OK\n", stderr: mismatch, failed: true},
		{name: "a tag of another algorithm", flags: "-a md5", list: "SHA1 (f) = " + none + "\n", stderr: noLines, failed: true},
		{name: "BSD", list: "MD5 (f) = " + none + "\n", stdout: "f: OK\n"},
		{name: "OpenSSL", list: "MD5(f)= " + none + "\n", stdout: "f: OK\n"},
		{name: "a cut tag", list: "MD5 (", stderr: noLines, failed: true},
		{name: "tags that are cut in many ways", list: "BLAKE2\nBLAKE2b\nBLAKE2-\nBLAKE2(\nBLAKE2 (\n", stderr: noLines, failed: true},
		{name: "NUL for digits", list: strings.Repeat("\x00", 32) + "  f\n", stderr: noLines, failed: true},
		{name: "a short value", list: none[1:] + "  f\n", stderr: noLines, failed: true},
		{name: "a tag in another case", list: "Sha1 (f) = " + noneSHA1 + "\n", stderr: noLines, failed: true},
		{name: "an algorithm that is not there", list: "SHA4 (f) = 00000000\n", stderr: noLines, failed: true},
		{name: "an algorithm with bits", list: "MD5-65536 (f) = " + none + "\n", stderr: noLines, failed: true},
		{name: "BLAKE2b with bits that it does not have", list: "BLAKE2b-257 (f) = " + noneSM3 + "\n", stderr: noLines, failed: true},
		{name: "BLAKE2b with other bits than it says", list: "BLAKE2b (f) = 171cdfdf84ed\n", stderr: noLines, failed: true},
		{name: "garbage before a tag", list: "garbage MD5 (f) = " + none + "\n", stderr: noLines, failed: true},
		{name: "garbage behind a value", list: "MD5 (f) = " + none + " garbage\n", stderr: noLines, failed: true},
		{name: "spaces behind a value", list: "SHA1 (f) = " + noneSHA1 + "    \n", stderr: noLines, failed: true},
		{name: "numbers of cksum", list: "4294967295 0 f\n", stderr: noLines, failed: true},

		{name: "missing", list: none + "  nosuch\n", stdout: "nosuch: FAILED open or read\n", stderr: missing + unread, failed: true},
		{name: "missing, ignored", flags: "--ignore-missing", list: good + none + "  nosuch\n", stdout: "f: OK\n"},
		{name: "missing, ignored, quiet", flags: "--quiet --ignore-missing", list: none + "  missing/f\n" + good},
		{name: "all missing, ignored", flags: "--ignore-missing", list: none + "  nosuch\n", stderr: "standard input: no file was verified\n", failed: true},
		{name: "all missing, ignored, status", flags: "--status --ignore-missing", list: none + "  nosuch\n", failed: true},
		{name: "missing ignored, a value that begins with zeros", flags: "--ignore-missing", list: "006999e6df389641adf1fa3a74801d9d  zeros\n", stdout: "zeros: OK\n"},
		{name: "a folder", list: none + "  d\n", stdout: "d: FAILED open or read\n", stderr: "d: Is a directory\n" + unread, failed: true},
		{name: "a folder and a missing file", list: "SHA1 (d) = " + noneSHA1 + "\nSHA1 (nosuch) = " + noneSHA1 + "\n", stdout: "d: FAILED open or read\nnosuch: FAILED open or read\n",
			stderr: "d: Is a directory\n" + missing + unread2, failed: true},
		{name: "a folder, missing files ignored", flags: "--ignore-missing", list: "SHA1 (d) = " + noneSHA1 + "\nSHA1 (nosuch) = " + noneSHA1 + "\n", stdout: "d: FAILED open or read\n",
			stderr: "d: Is a directory\n" + unread + "standard input: no file was verified\n", failed: true},
		{name: "one of three files, others ignored", flags: "--ignore-missing", list: none + "  inp2\n" + good + none + "  inp4\n", stdout: "f: OK\n"},

		{name: "comments", list: "# comment\n" + good + "# comment \xff\n#", stdout: "f: OK\n"},
		{name: "only a comment", list: "# comment\n", stderr: noLines, failed: true},
		{name: "a comment behind a space", list: " # comment\n" + good, stdout: "f: OK\n", stderr: improper},
		{name: "an empty list", list: "", stderr: noLines, failed: true},

		{name: "names with two spaces before them", flags: "--strict", list: good + none + "   b\n" + none + "  *c\n" + none + "   ", stdout: "f: OK\n b: OK\n*c: OK\n : OK\n"},
		{name: "names with one space before them", flags: "--strict", list: none + " f\n" + none + "  b\n" + none + " *c\n" + none + "  ", stdout: "f: OK\n b: OK\n*c: OK\n : OK\n"},
		{name: "two spaces, then one", flags: "--strict", list: none + "  f\n" + none + " *f\n" + none + " f\n", stdout: "f: OK\nf: OK\n", stderr: improper, failed: true},
		{name: "a word that is not hexadecimal before two spaces", list: "____not_all_hex_so_no_match_____ blah\n" + good + none + "   b\n", stdout: "f: OK\n b: OK\n", stderr: improper},
		{name: "escaped", flags: "--strict", list: `\` + none + `  a\nb` + "\n" + `\MD5 (a\\b) = ` + none + "\n", stdout: "\\a\\nb: OK\na\\b: OK\n"},
		{name: "a name that is not UTF-8", list: "MD5 (\xff) = " + none + "\nMD5 (no\xff) = " + none + "\n", stdout: "\xff: OK\nno\xff: FAILED open or read\n", stderr: "\"no\\xff\": No such file or directory\n" + unread, failed: true},

		{name: "several algorithms", flags: "--strict", list: mixed, stdout: "f: OK\nf: OK\nf: OK\n"},
		{name: "several algorithms, with spaces and an escape mark", flags: "--strict", list: " \\" + strings.ReplaceAll(strings.TrimSuffix(mixed, "\n"), "\n", "\n \\") + "\n", stdout: "f: OK\nf: OK\nf: OK\n"},
		{name: "several algorithms, one chosen", flags: "-a sm3", list: mixed, stdout: "f: OK\n", stderr: improper2},
		{name: "several algorithms, none chosen", flags: "-a md5", list: mixed, stderr: noLines, failed: true},
		{name: "signed", list: "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA384\n\n# comment\n" + mixed + "-----BEGIN PGP SIGNATURE-----\n\n" +
			"SHA384+BCAAdFiEEjFummQvbJuGfKhqAEWGuaUVxmjkFAmCDId0ACgkQEWGuaUVx\nBLAKE2b/00001EuON62pTEnqrJ5lav61QxRByiuDp/6VODrRL2JWM6Stxu1Myws=\n=AWU7\n-----END PGP SIGNATURE-----\n",
			stdout: "f: OK\nf: OK\nf: OK\n", stderr: "WARNING: 7 lines are improperly formatted\n"},
		{name: "tagged and untagged, chosen", flags: "-a blake2b", list: "BLAKE2b (f) = " + noneBLAKE2 + "\n" + noneBLAKE2 + "  g\n", stdout: "f: OK\ng: OK\n"},
		{name: "untagged and tagged, chosen", flags: "-a blake2b", list: noneBLAKE2 + "  g\nBLAKE2b (f) = " + noneBLAKE2 + "\n", stdout: "g: OK\nf: OK\n"},
		{name: "lengths of BLAKE2b", flags: "-a blake2b --strict", list: "BLAKE2b-48 (foo) = 171cdfdf84ed\nBLAKE2b-128(foo)= 04136e24f85d470465c3db66e58ed56c\n04136e24f85d470465c3db66e58ed56c  foo\n", stdout: "foo: OK\nfoo: OK\nfoo: OK\n"},
		{name: "a length of 8 bits", flags: "-a blake2b --length 8", list: "6a  foobar\n", stdout: "foobar: OK\n"},
		{name: "a length of 8 bits, not said", flags: "-a blake2b", list: "6a  foobar\n", stdout: "foobar: OK\n"},
		{name: "base64", flags: "--strict", list: "MD5 (f) = 1B2M2Y8AsgTpgAmY7PhCfg==\nSHA1 (f) = 2jmj7l5rSw0yVb/vlWAYkK/YBwk=\nSHA384 (f) = OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb\nSM3 (f) = GrIdg1XPoX+OYRlIMegajyK+yMco/vt0ftA161CCqis=\n",
			stdout: "f: OK\nf: OK\nf: OK\nf: OK\n"},
		{name: "base64 that looks hexadecimal", list: "BLAKE2b-48 (esq) = fc1f97C4\n", stdout: "esq: OK\n"},
		{name: "base64, cut", list: "MD5 (f) = 1B2M2Y8AsgTpgAmY7PhCfg=\nMD5 (f) = 1B2M2Y8AsgTpgAmY7PhCfg\nSHA1 (f) = 2jmj7l5rSw0yVb/vlWAYkK/YBwk\n", stderr: noLines, failed: true},
		{name: "base64 and hexadecimal", list: "MD5 (f) = " + none + "\nMD5 (f) = 1B2M2Y8AsgTpgAmY7PhCfg==\nMD5 (f) = 1B2M2Y8AsgTpgAmY7PhCfg=\n", stdout: "f: OK\nf: OK\n", stderr: improper},
	} {
		t.Run(test.name, func(t *testing.T) {
			inFolder(t, map[string]string{
				"f": "", "g": "", "a": "a", " b": "", "*c": "", " ": "", "a\nb": "", `a\b`: "", "\xff": "", "d/x": "", "zeros": "9t", "foo": "foo", "foobar": "foobar\n", "esq": "esq",
			})
			got := run(t, test.list, append([]string{"--check"}, strings.Fields(test.flags)...)...)
			if diff := cmp.Diff(test.stdout, got.Stdout); diff != "" || (got.Status != 0) != test.failed {
				t.Errorf("status %d, stderr %s, stdout:\n%s", got.Status, got.Stderr, diff)
			}
			want := strings.Split(strings.TrimSuffix(test.stderr, "\n"), "\n")
			said := strings.Split(strings.TrimSuffix(got.Stderr, "\n"), "\n")
			for i := range max(len(want), len(said)) {
				if len(want) != len(said) || !strings.Contains(said[i], want[i]) || want[i] == "" && said[i] != "" {
					t.Errorf("stderr %q, want %q", said, want)
					break
				}
			}
		})
	}
}

// TestChecksTagsAsCksum: a list of cksum may have many algorithms, and chance damages it.
func TestChecksTagsAsCksum(t *testing.T) {
	for seed := range uint64(60) {
		d := draw{rand.New(rand.NewPCG(seed, 3))}
		files := d.files()
		inFolder(t, files)
		list := ""
		for _, algorithm := range d.some([]string{"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "sm3"}, 4) {
			args := []string{"-a", algorithm, "--"}
			if algorithm == "blake2b" {
				args = []string{"-a", algorithm, "-l", strconv.Itoa(8 * d.IntN(65)), "--"}
			}
			list += coreutils.Run(t, "", "cksum", append(args, slices.Sorted(maps.Keys(files))...)...).Stdout
		}
		list = d.damage(list)
		args := append([]string{"--check"}, d.some([]string{"--quiet", "--status", "--warn", "--strict", "--ignore-missing"}, 2)...)
		got := run(t, list, args...)
		got.Stderr = unknownLine.ReplaceAllString(got.Stderr, "$1")
		compare(t, fmt.Sprintf("%q of\n%s", args, list), coreutils.Run(t, list, "cksum", args...), got)
	}
}

// unknownLine is what cksum does not say: the names of algorithms that are not known.
var unknownLine = regexp.MustCompile(`(?m)(?:^bucketsum sum: standard input|(found)): line \d+: .* is not known$\n?`)
