//go:build unix

package md5sum_test

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// Checksums of "x", as the tools print them.
const (
	sha1OfX      = "11f6ad8ec52a2984abaafd7c3b516503785c2072"
	sha224OfX    = "54a2f7f92a5f975d8096af77a126edda7da60c5aa872ef1b871701ae"
	sha256OfX    = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	sha384OfX    = "d752c2c51fba0e29aa190570a9d4253e44077a058d3297fa3a5630d5bd012622f97c28acaed313b5c83bb990caa7da85"
	sha3OfX      = "741efa311f97686956946758e0d95f70f11ff2da4f2feb7c54314f44134ac49f"
	sm3OfX       = "b9e036c07be7c1df36f69e63504da93b25f477601dc566253c0af43663583f84"
	blake2bOfX   = "0909377ad35110cafb2909e185672b7f2728d1f5094f8ad68d6fac6274bf1f499485a80ea364c04ed006d29459ea3cb7c600280e2f83e032529906f88ae30d0a"
	blake2b256   = "d161d71145abeec5ef15abcf0459cec60a27321e2f0ac0ef7ace5254f5944476"
	xxh32OfX     = "2ec430ea"
	xxh64OfX     = "5c80c09683041123"
	xxh3OfX      = "eaf06c6480b2cd11"
	xxh128OfX    = "5c7401c0ec22eeeeeaf06c6480b2cd11"
	crc32OfX     = "8CDC1683"
	ripemd160OfX = "11ff33c6fb942655efb3e30cf4c0fd95f5ef483a"
)

// TestListsOfOtherPrograms: each list is read in the form in which a program writes it.
func TestListsOfOtherPrograms(t *testing.T) {
	const ok = "a: OK\n"
	for _, test := range []struct {
		name       string
		list       string // its name; empty: standard input
		algorithms string
		text       string
		stdout     string
		says       string // on stderr; empty: nothing
		failed     bool
	}{
		{name: "openssl dgst -sha256", text: "SHA2-256(a)= " + sha256OfX + "\n", stdout: ok},
		{name: "openssl dgst -sha224", text: "SHA2-224(a)= " + sha224OfX + "\n", stdout: ok},
		{name: "openssl dgst -sha3-256", text: "SHA3-256(a)= " + sha3OfX + "\n", stdout: ok},
		{name: "openssl dgst -blake2b512", text: "BLAKE2B-512(a)= " + blake2bOfX + "\n", stdout: ok},
		{name: "openssl dgst -ripemd160", text: "RIPEMD-160(a)= " + ripemd160OfX + "\n", says: "no properly formatted checksum lines found: line 1: RIPEMD-160 is not known", failed: true},
		{name: "openssl dgst -sha256 -r", text: sha256OfX + " *a\n", stdout: ok},
		{name: "cksum -a sm3", text: "SM3 (a) = " + sm3OfX + "\n", stdout: ok},
		{name: "cksum -a sha384 --base64", text: "SHA384 (a) = 11LCxR+6DimqGQVwqdQlPkQHegWNMpf6OlYw1b0BJiL5fCisrtMTtcg7uZDKp9qF\n", stdout: ok},
		{name: "sha256sum -z", text: sha256OfX + "  a\x00" + sha256OfX + "  b\x00", says: "no properly formatted checksum lines found: its lines end with NUL", failed: true},
		{name: "cksum", text: "12738659 1 a\n", says: "no properly formatted", failed: true},
		{name: "b2sum", list: "B2SUMS", text: blake2bOfX + "  a\n", stdout: ok},
		{name: "b2sum -l 256", list: "a.b2", text: blake2b256 + "  a\n", stdout: ok},
		{name: "b2sum -l 256, chosen", algorithms: "blake2b", text: blake2b256 + "  a\n", stdout: ok},
		{name: "b2sum -l 256 --tag", text: "BLAKE2b-256 (a) = " + blake2b256 + "\n", stdout: ok},
		{name: "sha3sum", list: "SHA3SUMS", text: sha3OfX + "  a\n", stdout: ok},
		{name: "xxhsum -H0", text: xxh32OfX + "  a\n", stdout: "a: FAILED\n", says: "values of 8 digits were taken for crc32; if they are of crc32c or xxh32, say so with --algorithms", failed: true},
		{name: "xxhsum -H0, chosen", algorithms: "xxh32", text: xxh32OfX + "  a\n", stdout: ok},
		{name: "xxhsum -H0, named", list: "a.xxh32", text: xxh32OfX + "  a\n", stdout: ok},
		{name: "xxhsum -H1", text: xxh64OfX + "  a\n", stdout: ok},
		{name: "xxhsum -H2, named", list: "xxhsums.txt", text: xxh128OfX + "  a\n", stdout: ok},
		{name: "xxhsum -H3", text: "XXH3_" + xxh3OfX + "  a\n", stdout: ok},
		{name: "xxhsum --tag", text: "XXH32 (a) = " + xxh32OfX + "\nXXH64 (a) = " + xxh64OfX + "\nXXH3 (a) = " + xxh3OfX + "\nXXH128 (a) = " + xxh128OfX + "\n", stdout: ok + ok + ok + ok},
		{name: "uutils b3sum --tag", text: "BLAKE3-256 (a) = " + strings.Repeat("0", 64) + "\n", stdout: "a: FAILED\n", says: "1 computed checksum did NOT match", failed: true},
		{name: "an algorithm among others", text: "MD5 (a) = " + md5OfX + "\nWHIRLPOOL (a) = " + blake2bOfX + "\nWHIRLPOOL (b) = " + blake2bOfX + "\n", stdout: ok,
			says: "standard input: line 2: WHIRLPOOL is not known\nbucketsum sum: WARNING: 2 lines are improperly formatted"},
		{name: "not an algorithm", text: "MD5 (a) = " + md5OfX + "\nCopyright (c) = by\n", stdout: ok, says: "bucketsum sum: WARNING: 1 line is improperly formatted"},

		{name: "byte order mark", text: "\ufeff" + md5OfX + "  a\n", stdout: ok},
		{name: "UTF-16", text: inUTF16(md5OfX + "  ä\r\n"), stdout: "ä: OK\n"},
		{name: "line ends of Windows", text: md5OfX + "  a\r\n", stdout: ok},
		{name: "paths of Windows", text: md5OfX + " *dir\\b\r\n" + md5OfX + "  dir\\c\r\n", stdout: "dir\\b: OK\ndir\\c: OK\n", says: `names are paths of Windows; the first one, dir\b, was read as dir/b`},
		{name: "a name with a backslash", text: md5OfX + "  b\\s\n", stdout: "b\\s: OK\n"},
		{name: "a path of Windows that is nowhere", text: md5OfX + "  no\\such\r\n", stdout: "no\\such: FAILED open or read\n", says: "no\\such: No such file or directory\n", failed: true},

		{name: "hashdeep", text: "%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## Invoked from: /\n## \n1," + md5OfX + "," + sha256OfX + ",./a\n1," + md5OfX + "," + strings.Repeat("0", 64) + ",dir/b\n",
			stdout: "./a: OK\ndir/b: FAILED\n", says: "1 computed checksum did NOT match", failed: true},
		{name: "hashdeep -c tiger", text: "%%%% HASHDEEP-1.0\n%%%% size,tiger,filename\n1,00,a\n", says: "checksums of tiger were left out: 1", failed: true},
		{name: "hashdeep -c md5,tiger", text: "%%%% HASHDEEP-1.0\n%%%% size,md5,tiger,filename\n1," + md5OfX + ",00,a\n", stdout: ok, says: "standard input: checksums of tiger were left out: 1\n"},

		{name: "BagIt", list: "bag/manifest-sha256.txt", text: sha256OfX + "  data/f\n" + sha256OfX + " data/100%25%0A.txt\n", stdout: "data/f: OK\n\\data/100%\\n.txt: OK\n"},
		{name: "BagIt, moved", list: "elsewhere/manifest-md5.txt", text: md5OfX + "  bag/data/f\n", stdout: "bag/data/f: OK\n"},
		{name: "BagIt of SHA3-512", list: "bag/manifest-sha3512.txt", text: strings.Repeat("0", 128) + "  data/f\n", stdout: "data/f: FAILED\n", says: "did NOT match", failed: true},
		{name: "BagIt of an algorithm that is not known", list: "bag/manifest-whirlpool.txt", text: "00  data/f\n", says: "no properly formatted checksum lines found: a BagIt manifest of whirlpool, which is not one of md5,", failed: true},
		{name: "BagIt, out of the bag", list: "bag/manifest-md5.txt", text: md5OfX + "  ../a\n", says: "line 1: the name leads out of the bag", failed: true},
		{name: "OCFL", list: "object/inventory.json", text: `{"digestAlgorithm":"sha256","head":"v1","manifest":{"` + sha256OfX + `":["v1/content/f"]},"versions":{"v1":{"state":{"` + sha256OfX + `":["f"]}}}}`, stdout: "v1/content/f: OK\n"},
		{name: "rows", text: `{"bucket":"b","key":"a","state":"ok","checksums":{"md5":"` + md5OfX + `"}}` + "\n", stdout: ok},
		{name: "bucketsum sum --format json", text: `{"name":"./a","size":1,"checksums":{"md5":"` + md5OfX + `","sha256":"` + sha256OfX + `"}}` + "\n" + `{"name":"gone","error":"no"}` + "\n" + `{"name":"b\\s","name_base64":"YVxi","checksums":{"md5":"` + md5OfX + `"}}`,
			stdout: "./a: OK\na\\b: FAILED open or read\n", says: "WARNING: 1 line is improperly formatted", failed: true},
		{name: "other JSON", text: `{"a":1}`, says: "no properly formatted checksum lines found: it is JSON, but", failed: true},
		{name: "broken JSON", text: `{"digestAlgorithm":[`, says: "the list cannot be read: line 1: expected a text", failed: true},

		{name: "SFV", text: "; Generated by x\r\n;\r\na " + crc32OfX + "\r\ndir\\two words    8cdc1683\r\n", stdout: "a: OK\ndir\\two words: OK\n", says: "names are paths of Windows; the first one, dir\\two words, was read as dir/two words"},
		{name: "SFV without comments", text: "a " + crc32OfX + "\n", stdout: ok},
		{name: "no SFV", text: "Release of 20260101\n" + md5OfX + "  a\n", stdout: ok, says: "1 line is improperly formatted"},
		{name: "SFV beside its files", list: "bag/data/x.sfv", text: "f " + crc32OfX + "\n", stdout: "f: OK\n"},
		{name: "SFV, wrong", text: ";\na 00000000\n", stdout: "a: FAILED\n", says: "did NOT match", failed: true},
		{name: "SFV, improper", list: "x.sfv", text: "a " + crc32OfX + "\n" + md5OfX + "  a\n", stdout: ok, says: "1 line is improperly formatted"},

		{name: "Get-FileHash", text: inUTF16("\r\nAlgorithm       Hash                                                                   Path\r\n---------       ----                                                                   ----\r\n" +
			"SHA256          " + strings.ToUpper(sha256OfX) + "       C:\\Users\\me\\two words\r\nMD5             " + strings.ToUpper(md5OfX) + "                                       dir\\b\r\n\r\n\r\n"),
			stdout: "C:\\Users\\me\\two words: OK\ndir\\b: OK\n", says: `names are paths of Windows; the first one, C:\Users\me\two words, was read as two words`},
		{name: "Get-FileHash, cut", text: "\r\nAlgorithm       Hash            Path\r\n---------       ----            ----\r\nMD5             " + md5OfX + "  C:\\Users\\...\r\nSHA256  2D71...\r\n",
			says: "no properly formatted checksum lines found: line 4: the row is cut off; let PowerShell print it with Format-List or Export-Csv", failed: true},
		{name: "Format-List", text: "\r\n\r\nAlgorithm : SHA256\r\nHash      : " + strings.ToUpper(sha256OfX) + "\r\nPath      : C:\\a\r\n\r\nAlgorithm : SHA512\r\nHash      : " + sha384OfX + "\r\n            00000000000000000000000000000000\r\nPath      : a\r\n",
			stdout: "C:\\a: OK\na: FAILED\n", says: "did NOT match", failed: true},
		{name: "Format-List, broken path", text: "Algorithm : MD5\nHash      : " + md5OfX + "\nPath      : C:\\a\n            b\n\nAlgorithm : MD5\nHash      : " + md5OfX + "\nPath      : a", stdout: ok, says: "1 line is improperly formatted"},
		{name: "Format-List of two properties", text: "Path : a\nHash : " + sha256OfX + "\nPath : a\nHash : " + md5OfX + "\n", stdout: ok + ok},
		{name: "Format-List of an algorithm that is not known", text: "Algorithm : MACTripleDES\nHash : 0011223344556677\nPath : a\n", says: "line 3: MACTripleDES is not known", failed: true},
		{name: "Export-Csv", text: "\ufeff#TYPE Microsoft.PowerShell.Commands.FileHashInfo\r\n\"Algorithm\",\"Hash\",\"Path\"\r\n\"SHA256\",\"" + strings.ToUpper(sha256OfX) + "\",\"C:\\x\\two words\"\r\n\"SHA1\",\"" + sha1OfX + "\",\"a\"\r\n\"SHA1\",\"\r\n",
			stdout: "C:\\x\\two words: OK\na: OK\n", says: "1 line is improperly formatted"},
		{name: "Export-Csv of two properties, with semicolons", text: "Path;Hash\na;" + sha256OfX + "\n", stdout: ok},
		{name: "certutil", text: "SHA256 hash of dir\\b:\r\n" + sha256OfX + "\r\nCertUtil: -hashfile command completed successfully.\r\n", stdout: "dir\\b: OK\n", says: "was read as dir/b"},
		{name: "certutil of Windows 7", text: "MD5 hash of file a:\r\n9d d4 e4 61 26 8c 80 34 f5 c8 56 4e 15 5c 67 a6\r\nCertUtil: -hashfile command completed successfully.\r\n", stdout: ok},
		{name: "certutil, cut", text: "MD5 hash of a:\r\n", says: "line 1: expected a line with the algorithm and the name", failed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{}
			for _, name := range []string{"a", "ä", "dir/b", "dir/c", "dir/two words", "two words", `b\s`, "bag/data/f", "bag/data/100%\n.txt", "object/v1/content/f"} {
				files[name] = "x"
			}
			args := []string{"--check"}
			if test.algorithms != "" {
				args = append(args, "-a", test.algorithms)
			}
			if test.list != "" {
				files[test.list] = test.text
				args = append(args, test.list)
			}
			inFolder(t, files)
			got := run(t, test.text, args...)
			if got.Stdout != test.stdout || (got.Status != 0) != test.failed || !strings.Contains(got.Stderr, test.says) || test.says == "" && got.Stderr != "" {
				t.Errorf("%+v; want status 1 %t, %q, %q", got, test.failed, test.stdout, test.says)
			}
		})
	}
}

// inUTF16 returns a text as PowerShell writes it into a file.
func inUTF16(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune("\ufeff" + s)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}
