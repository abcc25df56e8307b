package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// TestUntagged: of the algorithms whose values have a length, the chosen one counts, then the one that the name of the list says,
// then the usual one, which is said.
func TestUntagged(t *testing.T) {
	for _, test := range []struct {
		digits     int
		list       string
		algorithms []string
		want       string // the algorithm
		note       string // part of it
		fault      string // part of it
	}{
		{digits: 8, want: "crc32", note: "values of 8 digits were taken for crc32; if they are of crc32c or xxh32, say so with --algorithms"},
		{digits: 8, list: "xxhsums.txt", want: "xxh32"},
		{digits: 8, algorithms: []string{"crc32c"}, want: "crc32c"},
		{digits: 16, want: "xxh64", note: "if they are of crc64nvme or xxh3"},
		{digits: 16, list: "a.xxh3", want: "xxh3"},
		{digits: 32, want: "md5", note: "if they are of xxh128 or blake2b-128, say so"},
		{digits: 32, list: "XXH128SUMS", want: "xxh128"},
		{digits: 32, list: "xxhsums", want: "xxh128"},
		{digits: 32, list: "b2sum.txt", want: "blake2b-128"},
		{digits: 32, list: "a.sha256", want: "md5", note: "xxh128 or blake2b-128"},
		{digits: 32, list: "md4sums", fault: "the name of the list says md4, which is not one of md5,"},
		{digits: 40, want: "sha1", note: "blake2b-160"},
		{digits: 40, list: "files.rmd160", fault: "the name of the list says rmd160"},
		{digits: 48, list: "tiger.txt", fault: "the name of the list says tiger"},
		{digits: 48, fault: "no algorithm has values of 48 digits unless --algorithms names it"},
		{digits: 48, algorithms: []string{"blake2b"}, want: "blake2b-192"},
		{digits: 48, algorithms: []string{"md5", "blake2b-192"}, want: "blake2b-192"},
		{digits: 56, want: "sha224", note: "if they are of sha3-224"},
		{digits: 64, want: "sha256", note: "if they are of blake3 or sha512-256 or sha3-256 or sm3 or blake2b-256"},
		{digits: 64, list: "SHA256SUMS", want: "sha256"},
		{digits: 64, list: "b3sums", want: "blake3"},
		{digits: 64, list: "SHA3SUMS", want: "sha3-256"},
		{digits: 64, list: "a.sm3", want: "sm3"},
		{digits: 64, list: "a.b2", want: "blake2b-256"},
		{digits: 64, list: "blake2s.txt", fault: "the name of the list says blake2s"},
		{digits: 64, algorithms: []string{"sm3", "md5"}, want: "sm3"},
		{digits: 64, algorithms: []string{"sm3", "sha256"}, fault: "may be of sm3 or sha256; name one with --algorithms"},
		{digits: 64, algorithms: []string{"md5"}, fault: "no algorithm of --algorithms has values of 64 digits; of that length are those of sha256,"},
		{digits: 96, want: "sha384", note: "if they are of sha3-384"},
		{digits: 128, want: "sha512", note: "if they are of sha3-512 or blake2b"},
		{digits: 128, list: "B2SUMS", want: "blake2b"},
		{digits: 128, list: "sha3sum.txt", want: "sha3-512"},
	} {
		value := strings.Repeat("0a", test.digits/2)
		got := readKnown(digest.Computable(), test.list, value+"  a\n", test.algorithms...)
		algorithm := ""
		for _, e := range got.entries {
			for algorithm = range e.Checksums {
				if e.Checksums[algorithm] != value {
					t.Errorf("%+v: %+v", test, e)
				}
			}
		}
		if algorithm != test.want || !strings.Contains(strings.Join(got.notes, "\n"), test.note) || test.note == "" && got.notes != nil ||
			!strings.Contains(got.faults[1], test.fault) || (test.fault == "") != (got.faults[1] == "") {
			t.Errorf("%+v: %s, notes %q, faults %v", test, algorithm, got.notes, got.faults)
		}
	}
}

// TestKnown: a list may have any algorithm that the caller can compute, and names it as its program does.
func TestKnown(t *testing.T) {
	value := strings.Repeat("0a", 48)
	text := "SHA2-384(a)= " + value + "\nSHA384 (b) = " + value + "\nSHA3-384 (c) = " + value + "\nBLAKE2b-384 (d) = " + value + "\n"
	got := readKnown(digest.Computable(), "", text)
	want := []string{`1 "a" sha384=0a0a`, `2 "b" sha384=0a0a`, `3 "c" sha3-384=0a0a`, `4 "d" blake2b-384=0a0a`}
	if diff := cmp.Diff(want, brief(got.entries)); diff != "" {
		t.Error(diff)
	}
	if got := read("", text); len(got.entries) != 0 || len(got.faults) != 4 {
		t.Errorf("records have none of these, but %+v", got)
	}
	for name, algorithm := range map[string]string{"manifest-sha384.txt": "sha384", "manifest-sha3384.txt": "sha3-384", "tagmanifest-BLAKE2b384.txt": ""} {
		got := readKnown(digest.Computable(), name, value+"  data/a\n")
		if algorithm == "" && got.err == nil || algorithm != "" && (len(got.entries) != 1 || got.entries[0].Checksums[algorithm] != value) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestForeignNames: a list cannot write to the terminal of its reader with the names of algorithms.
func TestForeignNames(t *testing.T) {
	got := read("", "%%%% HASHDEEP-1.0\n%%%% size,\x1b[31m,"+strings.Repeat("x", 1000)+",filename\n1,00,00,a\n")
	want := []string{`checksums of "\x1b[31m" were left out: 1`, "checksums of " + strings.Repeat("x", 40) + "… were left out: 1"}
	if diff := cmp.Diff(want, got.notes); diff != "" {
		t.Error(diff)
	}
	if fault := got.faults[3]; strings.Contains(fault, "\x1b") || len(fault) > 300 {
		t.Errorf("%q", fault)
	}
}
