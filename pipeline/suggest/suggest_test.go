package suggest_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

func ExampleUnknown() {
	valid := []string{"md5", "sha256"}
	fmt.Println(suggest.Unknown("algorithm", "md6", valid))
	fmt.Println(suggest.Unknown("algorithm", "whirlpool", valid))
	// Output:
	// unknown algorithm "md6"; did you mean md5? Valid are md5, sha256
	// unknown algorithm "whirlpool"; valid are md5, sha256
}

func TestOr(t *testing.T) {
	algorithms := []string{"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3-256", "crc32c", "blake3", "xxh3"}
	flags := []string{"--algorithms", "--record", "--record-to", "--results", "--log-level", "--log-format", "--queue", "--tag", "--older-than"}
	for _, tc := range []struct {
		word  string
		valid []string
		want  string
	}{
		{"SHA-256", algorithms, "; did you mean sha256?"},
		{"sha265", algorithms, "; did you mean sha256?"},
		{"md6", algorithms, "; did you mean md5?"},
		{"blake", algorithms, "; did you mean blake3?"},
		{"b", algorithms, ""},
		{"", algorithms, ""},
		{"whirlpool", algorithms, ""},
		{"--queu", flags, "; did you mean --queue?"},
		{"--alg", flags, "; did you mean --algorithms?"},
		{"--algorithm", flags, "; did you mean --algorithms?"},
		{"--log", flags, "; did you mean --log-level or --log-format?"},
		{"--older_then", flags, "; did you mean --older-than?"},
		{"--dir", flags, ""},
		{"--verbose", flags, ""},
		{"sreve", []string{"serve", "sum"}, "; did you mean serve?"},
		{"vrify", []string{"serve", "verify"}, "; did you mean verify?"},
		{"check", []string{"serve", "verify"}, ""},
		{"trace", []string{"debug", "info", "warn", "error"}, ""},
		{"warning", []string{"debug", "info", "warn", "error"}, "; did you mean warn?"},
	} {
		if got := suggest.Or(tc.word, tc.valid); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.word, got, tc.want)
		}
	}
}
