package digest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// TestComputableKnownAnswers has the values that cksum, b2sum, OpenSSL and xxhsum print.
func TestComputableKnownAnswers(t *testing.T) {
	million := strings.Repeat("a", 1_000_000)
	for _, test := range []struct{ algorithm, input, want string }{
		{"sha224", "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
		{"sha224", million, "20794655980c91d8bbb4c1ea97618a4bf03f42581948b2ee4ee7ad67"},
		{"sha384", "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
		{"sha384", million, "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985"},
		{"sha512-256", "abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
		{"sha512-256", million, "9a59a052930187a97038cae692f30708aa6491923ef5194394dc68d56c74fb21"},
		{"sha3-224", "abc", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
		{"sha3-256", "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
		{"sha3-256", million, "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1"},
		{"sha3-384", "abc", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25"},
		{"sha3-512", "abc", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
		{"blake2b", "abc", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
		{"blake2b", million, "98fb3efb7206fd19ebf69b6f312cf7b64e3b94dbe1a17107913975a793f177e1d077609d7fba363cbba00d05f7aa4e4fa8715d6428104c0a75643b0ff3fd3eaf"},
		{"sm3", "abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
		{"sm3", million, "c8aaf89429554029e231941a2acc0ad61ff2a5acd8fadd25847a3a732b3b02c3"},
		{"blake2b-256", "abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
		{"blake2b-8", "abc", "6b"},
		{"crc32", "123456789", "cbf43926"},
		{"xxh32", string(xxhashInput(0)), "02cc5d05"},
		{"xxh32", string(xxhashInput(1)), "cf65b03e"},
		{"xxh32", string(xxhashInput(14)), "1208e7e2"},
		{"xxh32", string(xxhashInput(16)), "93ba3759"},
		{"xxh32", string(xxhashInput(33)), "31a427e5"},
		{"xxh32", string(xxhashInput(222)), "5bd11dbd"},
		{"xxh64", string(xxhashInput(0)), "ef46db3751d8e999"},
		{"xxh64", string(xxhashInput(1)), "e934a84adb052768"},
		{"xxh64", string(xxhashInput(14)), "8282dcc4994e35c8"},
		{"xxh64", string(xxhashInput(16)), "98c90b57fdfcb55c"},
		{"xxh64", string(xxhashInput(33)), "55c8dc3e578f5b59"},
		{"xxh64", string(xxhashInput(222)), "b641ae8cb691c174"},
		{"xxh128", string(xxhashInput(0)), "99aa06d3014798d86001c324468d497f"},
		{"xxh128", string(xxhashInput(1)), "a6cd5e9392000f6ac44bdff4074eecdb"},
		{"xxh128", string(xxhashInput(14)), "b2623398aa0bda1e352b80797cda6247"},
		{"xxh128", string(xxhashInput(16)), "c68c368ecf8a9c05562980258a998629"},
		{"xxh128", string(xxhashInput(33)), "3103c192ceaa2dede593bc4e5914c9d1"},
		{"xxh128", string(xxhashInput(222)), "337e09641b948717f1aebd597cec6b3a"},
	} {
		got := sumAll(t, []byte(test.input), test.algorithm)[test.algorithm]
		if got != test.want || !digest.Valid(test.algorithm, got) || digest.Size(test.algorithm) != len(got)/2 {
			t.Errorf("%s of %d bytes is %s, want %s", test.algorithm, len(test.input), got, test.want)
		}
	}
}

// TestNamesAreAContract: a name that is added to Names makes records of users' files that end with it.
func TestNamesAreAContract(t *testing.T) {
	want := []string{"md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"}
	if got := digest.Names(); !slices.Equal(got, want) {
		t.Errorf("records can have %q, want %q", got, want)
	}
	for _, name := range digest.Computable() {
		recorded := slices.Contains(want, name)
		if err := digest.CheckNames("md5", name); (err == nil) != recorded || digest.Recorded(name) != recorded {
			t.Errorf("CheckNames of %s: %v", name, err)
		}
		if _, err := digest.NewVerifier([]string{name}, nil); (err == nil) != recorded {
			t.Errorf("NewVerifier of %s: %v", name, err)
		}
	}
	if err := digest.CheckNames("sha384"); err == nil || !strings.Contains(err.Error(), "records cannot have sha384") {
		t.Error(err)
	}
	if err := digest.CheckNames(); err == nil {
		t.Error("no name is accepted")
	}
}

func TestBLAKE2bLengths(t *testing.T) {
	for name, want := range map[string]string{
		"blake2b": "BLAKE2b", "blake2b-512": "BLAKE2b", "blake2b-256": "BLAKE2b-256", "blake2b-8": "BLAKE2b-8",
		"blake2b-0": "", "blake2b-12": "", "blake2b-520": "", "blake2b--8": "", "blake2b-08": "", "blake2b-": "",
	} {
		_, err := digest.New(name)
		if (err == nil) != (want != "") || err == nil && digest.Tag(name) != want {
			t.Errorf("%s has the tag %q, error %v", name, digest.Tag(name), err)
		}
	}
	// Both names of the longest count once.
	if got := mustNew(t, "blake2b-512", "blake2b").Algorithms(); !slices.Equal(got, []string{"blake2b"}) {
		t.Errorf("got %q", got)
	}
}
