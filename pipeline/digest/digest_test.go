package digest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKnownAnswers(t *testing.T) {
	const (
		nine = "123456789"
		rfc  = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
	)
	million := strings.Repeat("a", 1_000_000)
	for _, test := range []struct{ algorithm, input, want string }{
		// RFC 1321, appendix A.5
		{"md5", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"md5", "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"md5", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"md5", strings.Repeat("1234567890", 8), "57edf4a22be3c955ac49da2e2107b67a"},
		// RFC 3174, section 7.3, and FIPS 180
		{"sha1", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha1", rfc, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{"sha1", million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
		// RFC 6234, section 8.5
		{"sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha256", rfc, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"sha256", million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
		{"sha512", "", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
			"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
		{"sha512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"sha512", million, "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb" +
			"de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
		// RFC 3720, appendix B.4, and the usual check value
		{"crc32c", "", "00000000"},
		{"crc32c", nine, "e3069283"},
		{"crc32c", strings.Repeat("\x00", 32), "8a9136aa"},
		{"crc32c", strings.Repeat("\xff", 32), "62a8ab43"},
		{"crc32c", string(counting(32, 256)), "46dd794e"},
		// NVM Express NVM command set specification, 64b CRC, and the usual check value
		{"crc64nvme", "", "0000000000000000"},
		{"crc64nvme", nine, "ae8b14860a799888"},
		{"crc64nvme", strings.Repeat("\x00", 4096), "6482d367eb22b64e"},
		{"crc64nvme", strings.Repeat("\xff", 4096), "c0ddba7302eca3ac"},
		// test_vectors.json of the BLAKE3 team
		{"blake3", "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
		{"blake3", string(counting(1, 251)), "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
		{"blake3", string(counting(1024, 251)), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
		{"blake3", string(counting(102400, 251)), "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"},
		// sanity tests of xxHash
		{"xxh3", "", "2d06800538d394c2"},
		{"xxh3", string(xxhashInput(1)), "c44bdff4074eecdb"},
		{"xxh3", string(xxhashInput(6)), "27b56a84cd2d7325"},
		{"xxh3", string(xxhashInput(12)), "a713daf0dfbb77e7"},
		{"xxh3", string(xxhashInput(24)), "a3fe70bf9d3510eb"},
		{"xxh3", string(xxhashInput(48)), "397da259ecba1f11"},
		{"xxh3", string(xxhashInput(80)), "bcdefbbb2c47c90a"},
		{"xxh3", string(xxhashInput(195)), "cd94217ee362ec3a"},
		{"xxh3", string(xxhashInput(403)), "cdeb804d65c6dea4"},
		{"xxh3", string(xxhashInput(2048)), "dd59e2c3a5f038e0"},
		{"xxh3", string(xxhashInput(2367)), "cb37aeb9e5d361ed"},
	} {
		got := sumAll(t, []byte(test.input), test.algorithm)[test.algorithm]
		if got != test.want {
			t.Errorf("%s of %d bytes %.12q is %s, want %s", test.algorithm, len(test.input), test.input, got, test.want)
		}
		if !digest.Valid(test.algorithm, got) {
			t.Errorf("Valid(%s, %s) is false", test.algorithm, got)
		}
	}
}

// counting returns n bytes 0, 1, 2, … modulo m.
func counting(n, m int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % m)
	}
	return b
}

// xxhashInput returns the first n bytes of the input of xxHash's sanity tests.
func xxhashInput(n int) []byte {
	b, state := make([]byte, n), uint64(2654435761)
	for i := range b {
		b[i] = byte(state >> 56)
		state *= 11400714785074694797
	}
	return b
}

func sumAll(t *testing.T, content []byte, names ...string) map[string]string {
	t.Helper()
	d := mustNew(t, names...)
	if n, err := d.Write(content); n != len(content) || err != nil {
		t.Fatalf("Write returns %d, %v", n, err)
	}
	return d.Sums()
}

func mustNew(t testing.TB, names ...string) *digest.Digest {
	t.Helper()
	d, err := digest.New(names...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnePassEqualsSeparatePasses(t *testing.T) {
	content := xxhashInput(200_001)
	want := make(map[string]string)
	for _, name := range digest.Computable() {
		maps.Copy(want, sumAll(t, content, name))
	}
	for _, chunk := range []int{1, 63, 64, 65, 4096, 65_536, len(content)} {
		d := mustNew(t, digest.Computable()...)
		for part := range slices.Chunk(content, chunk) {
			d.Write(part)
		}
		if diff := cmp.Diff(want, d.Sums()); diff != "" {
			t.Errorf("in writes of %d bytes:\n%s", chunk, diff)
		}
		if d.Size() != int64(len(content)) {
			t.Errorf("Size is %d", d.Size())
		}
	}
}

func TestWriteAfterSums(t *testing.T) {
	d := mustNew(t, digest.Computable()...)
	for i := range 100 {
		if diff := cmp.Diff(sumAll(t, xxhashInput(i*10), digest.Computable()...), d.Sums()); diff != "" {
			t.Fatalf("after %d bytes:\n%s", i*10, diff)
		}
		d.Write(xxhashInput(i*10 + 10)[i*10:])
	}
	d.Reset()
	if diff := cmp.Diff(sumAll(t, nil, digest.Computable()...), d.Sums()); diff != "" || d.Size() != 0 {
		t.Errorf("after Reset, %d bytes:\n%s", d.Size(), diff)
	}
}

func TestNewNames(t *testing.T) {
	d := mustNew(t, "sha256", "md5", "sha256")
	if diff := cmp.Diff([]string{"sha256", "md5"}, d.Algorithms()); diff != "" {
		t.Error(diff)
	}
	for _, names := range [][]string{nil, {""}, {"md5", "md4"}, {"MD5"}} {
		_, err := digest.New(names...)
		if err == nil || !strings.Contains(err.Error(), "md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3") {
			t.Errorf("New(%q): error %v does not list the algorithms", names, err)
		}
	}
}

func TestBase64(t *testing.T) {
	for _, test := range []struct{ algorithm, value, want string }{
		{"crc32c", "e3069283", "4waSgw=="},
		{"crc64nvme", "ae8b14860a799888", "rosUhgp5mIg="},
		{"md5", "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCfg=="}, // as in RFC 1864
	} {
		if got, err := digest.Base64(test.algorithm, test.value); err != nil || got != test.want {
			t.Errorf("Base64(%s, %s) is %q, %v; want %q", test.algorithm, test.value, got, err, test.want)
		}
	}
	for _, bad := range [][2]string{{"crc32c", "e306928"}, {"crc32c", "E3069283"}, {"md4", "e3069283"}, {"md5", ""}} {
		if got, err := digest.Base64(bad[0], bad[1]); err == nil {
			t.Errorf("Base64(%q, %q) is %q", bad[0], bad[1], got)
		}
	}
}

func TestCopy(t *testing.T) {
	content := xxhashInput(300_000)
	want := sumAll(t, content, "md5", "xxh3")
	for name, r := range map[string]io.Reader{
		"plain":                bytes.NewReader(content),
		"byte by byte":         iotest.OneByteReader(bytes.NewReader(content)),
		"data with the end":    iotest.DataErrReader(bytes.NewReader(content)),
		"empty reads":          &hesitant{r: bytes.NewReader(content)},
		"has a WriteTo":        offersWriteTo{bytes.NewReader(content)},
		"smaller than the buf": iotest.HalfReader(bytes.NewReader(content)),
	} {
		d := mustNew(t, "md5", "xxh3")
		n, err := digest.Copy(t.Context(), d, r)
		if diff := cmp.Diff(want, d.Sums()); err != nil || n != int64(len(content)) || diff != "" {
			t.Errorf("%s: %d bytes, error %v, diff:\n%s", name, n, err, diff)
		}
	}
}

// hesitant is a reader whose every other Read returns 0 bytes and no error.
type hesitant struct {
	r     io.Reader
	calls int
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.calls++; h.calls%2 == 1 {
		return 0, nil
	}
	return h.r.Read(p)
}

// offersWriteTo is a reader whose WriteTo must not be called.
type offersWriteTo struct{ io.Reader }

func (offersWriteTo) WriteTo(io.Writer) (int64, error) { return 0, errors.New("WriteTo was called") }

func TestCopyFailures(t *testing.T) {
	broken := errors.New("the disk is gone")
	d := mustNew(t, "md5")
	n, err := digest.Copy(t.Context(), d, io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	if n != 3 || !errors.Is(err, broken) {
		t.Errorf("broken reader: %d, %v", n, err)
	}
	if _, err := digest.Copy(t.Context(), d, nothing{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader with empty reads only: %v", err)
	}
	if _, err := digest.Copy(t.Context(), d, iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestCopyHonoursContext(t *testing.T) {
	reason := errors.New("drained")
	ctx, cancel := context.WithCancelCause(t.Context())
	d := mustNew(t, "md5")
	n, err := digest.Copy(ctx, d, endless{after: 5, call: func() { cancel(reason) }, calls: new(int)})
	if !errors.Is(err, reason) || n != d.Size() || n == 0 {
		t.Errorf("%d bytes of %d, error %v", n, d.Size(), err)
	}
}

// endless is a reader of zeros without end. Its Read number after calls call.
type endless struct {
	after int
	call  func()
	calls *int
}

func (e endless) Read(p []byte) (int, error) {
	if *e.calls++; *e.calls == e.after {
		e.call()
	}
	clear(p)
	return len(p), nil
}

func BenchmarkDigest(b *testing.B) {
	content := xxhashInput(1 << 20)
	sets := [][]string{{"md5", "sha256"}, {"md5", "sha256", "crc64nvme"}}
	for _, name := range digest.Computable() {
		sets = append(sets, []string{name})
	}
	for _, names := range sets {
		b.Run(strings.Join(names, "+"), func(b *testing.B) {
			d := mustNew(b, names...)
			r := bytes.NewReader(content)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset()
				r.Reset(content)
				if _, err := digest.Copy(b.Context(), d, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
