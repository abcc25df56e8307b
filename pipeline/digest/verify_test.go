package digest_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// inParts returns the checksum of the checksums of the content's parts, in hexadecimal.
func inParts(content string, sizes []int64, algorithm func() hash.Hash) string {
	outer := algorithm()
	for _, n := range sizes {
		inner := algorithm()
		io.WriteString(inner, content[:n])
		outer.Write(inner.Sum(nil))
		content = content[n:]
	}
	return hex.EncodeToString(outer.Sum(nil))
}

func base64Of(inHex string) string {
	raw, err := hex.DecodeString(inHex)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

const nineDigits = "123456789"

func TestVerifier(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20_000) // several buffers of Copy
	uneven := []int64{100_000, 1, 0, 150_000, 69_999}
	newIEEE := func() hash.Hash { return crc32.NewIEEE() }
	for name, tc := range map[string]struct {
		content string
		claim   digest.Claim
		want    digest.Outcome
		reason  string // part of the verdict's
	}{
		"md5 in hexadecimal":     {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b"}, digest.Match, ""},
		"md5 in upper case":      {nineDigits, digest.Claim{Algorithm: "md5", Value: "25F9E794323B453885F5181F1B624D0B"}, digest.Match, ""},
		"md5 in base64":          {nineDigits, digest.Claim{Algorithm: "md5", Value: "JfnnlDI7RTiF9RgfG2JNCw=="}, digest.Match, ""},
		"md5 of other content":   {"12345678", digest.Claim{Algorithm: "md5", Value: "JfnnlDI7RTiF9RgfG2JNCw=="}, digest.Mismatch, ""},
		"crc32 in base64":        {nineDigits, digest.Claim{Algorithm: "crc32", Value: "y/Q5Jg=="}, digest.Match, ""},
		"crc32 in hexadecimal":   {nineDigits, digest.Claim{Algorithm: "crc32", Value: "cbf43926"}, digest.Match, ""},
		"crc32c":                 {nineDigits, digest.Claim{Algorithm: "crc32c", Value: "4waSgw=="}, digest.Match, ""},
		"crc64nvme":              {nineDigits, digest.Claim{Algorithm: "crc64nvme", Value: "rosUhgp5mIg="}, digest.Match, ""},
		"crc32 is not crc32c":    {nineDigits, digest.Claim{Algorithm: "crc32", Value: "4waSgw=="}, digest.Mismatch, ""},
		"sha256":                 {"", digest.Claim{Algorithm: "sha256", Value: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, digest.Match, ""},
		"no content":             {"", digest.Claim{Algorithm: "md5", Value: "d41d8cd98f00b204e9800998ecf8427e"}, digest.Match, ""},
		"unknown algorithm":      {nineDigits, digest.Claim{Algorithm: "xxhash128", Value: "x"}, digest.Unchecked, `unknown algorithm "xxhash128"`},
		"malformed":              {nineDigits, digest.Claim{Algorithm: "md5", Value: "!"}, digest.Unchecked, `"!" is not a value of md5`},
		"empty":                  {nineDigits, digest.Claim{Algorithm: "md5"}, digest.Unchecked, `"" is not a value`},
		"too short":              {nineDigits, digest.Claim{Algorithm: "sha1", Value: "JfnnlDI7RTiF9RgfG2JNCw=="}, digest.Unchecked, "is not a value of sha1"},
		"broken base64":          {nineDigits, digest.Claim{Algorithm: "md5", Value: "JfnnlDI7RTiF9RgfG2JN\nCw=="}, digest.Unchecked, "is not a value"},
		"base64 with extra bits": {nineDigits, digest.Claim{Algorithm: "crc32c", Value: "4waSg5=="}, digest.Unchecked, "is not a value"},
		"in parts":               {long, digest.Claim{Algorithm: "md5", Value: inParts(long, uneven, md5.New) + "-5", Parts: uneven}, digest.Match, ""},
		"in parts in base64":     {long, digest.Claim{Algorithm: "sha256", Value: base64Of(inParts(long, uneven, sha256.New)) + "-5", Parts: uneven}, digest.Match, ""},
		"crc32 in parts":         {long, digest.Claim{Algorithm: "crc32", Value: base64Of(inParts(long, uneven, newIEEE)) + "-5", Parts: uneven}, digest.Match, ""},
		"one part":               {nineDigits, digest.Claim{Algorithm: "md5", Value: inParts(nineDigits, []int64{9}, md5.New) + "-1", Parts: []int64{9}}, digest.Match, ""},
		"one empty part":         {"", digest.Claim{Algorithm: "md5", Value: "59adb24ef3cdbe0297f05b395827453f-1", Parts: []int64{0}}, digest.Match, ""},
		"other parts":            {nineDigits, digest.Claim{Algorithm: "md5", Value: inParts(nineDigits, []int64{5, 4}, md5.New) + "-2", Parts: []int64{4, 5}}, digest.Mismatch, ""},
		"parts that are unknown": {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2"}, digest.Unchecked, "not known"},
		"fewer parts":            {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{9}}, digest.Unchecked, "has 2 parts, but sizes for 1"},
		"parts that are shorter": {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{4, 4}}, digest.Unchecked, "parts have 8 bytes, the content has 9"},
		"parts that are longer":  {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{9, 1}}, digest.Unchecked, "parts have 10 bytes, the content has 9"},
		"either, in parts":       {nineDigits, digest.Claim{Algorithm: "md5", Value: inParts(nineDigits, []int64{5, 4}, md5.New) + "-2", Parts: []int64{5, 4}, Either: true}, digest.Match, ""},
		"either, as a whole":     {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{5, 4}, Either: true}, digest.Match, ""},
		"either, no parts known": {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Either: true}, digest.Match, ""},
		"neither":                {"12345678", digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{5, 3}, Either: true}, digest.Unchecked, "not the checksum of the whole"},
		"either, malformed":      {nineDigits, digest.Claim{Algorithm: "md5", Value: "!-2", Parts: []int64{5, 4}, Either: true}, digest.Unchecked, "not a value of md5"},
		"count of parts is text": {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-x"}, digest.Unchecked, "not a number of parts"},
		"zero parts":             {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-0", Parts: []int64{}}, digest.Unchecked, "not a number of parts"},
		"negative part":          {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{10, -1}}, digest.Unchecked, "-1 bytes"},
		"sizes overflow":         {nineDigits, digest.Claim{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b-2", Parts: []int64{math.MaxInt64, 10}}, digest.Unchecked, "cannot have"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := digest.NewVerifier([]string{"sha1"}, []digest.Claim{tc.claim})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := digest.Copy(t.Context(), v, strings.NewReader(tc.content)); err != nil {
				t.Fatal(err)
			}
			got := v.Verdicts()[0]
			if got.Outcome != tc.want || !strings.Contains(got.Reason, tc.reason) || (tc.reason == "") != (got.Reason == "") {
				t.Errorf("got %+v, want %s because of %q", got, tc.want, tc.reason)
			}
			if checked := got.Outcome != digest.Unchecked; checked != (got.Computed != "") || (got.Computed == got.Claimed) != (got.Outcome == digest.Match) && checked {
				t.Errorf("got %+v", got)
			}
			if formed := tc.claim.WellFormed(); formed != (got.Claimed != "") {
				t.Errorf("well formed: %v, claimed %q", formed, got.Claimed)
			}
			if diff := cmp.Diff(sumAll(t, []byte(tc.content), "sha1"), v.Sums()); diff != "" {
				t.Errorf("sums (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVerifierSeveralClaims checks several claims on the same content in one pass. Each has
// its own verdict.
func TestVerifierSeveralClaims(t *testing.T) {
	halves, thirds := []int64{5, 4}, []int64{3, 3, 3}
	claims := []digest.Claim{
		{Algorithm: "md5", Value: inParts(nineDigits, halves, md5.New) + "-2", Parts: halves},
		{Algorithm: "sha256", Value: inParts(nineDigits, halves, sha256.New) + "-2", Parts: []int64{5, 4}},
		{Algorithm: "md5", Value: inParts(nineDigits, thirds, md5.New) + "-3", Parts: thirds},
		{Algorithm: "md5", Value: inParts(nineDigits, thirds, md5.New) + "-3", Parts: thirds},
		{Algorithm: "crc32c", Value: "4waSgw=="},
		{Algorithm: "md5", Value: "JfnnlDI7RTiF9RgfG2JNCw=="},
		{Algorithm: "md5", Value: "d41d8cd98f00b204e9800998ecf8427e"},
		{Algorithm: "md6", Value: "x"},
	}
	v, err := digest.NewVerifier([]string{"md5", "xxh3"}, claims)
	if err != nil {
		t.Fatal(err)
	}
	for i := range nineDigits { // one byte at a time
		if n, err := v.Write([]byte{nineDigits[i]}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	var outcomes []digest.Outcome
	for _, verdict := range v.Verdicts() {
		outcomes = append(outcomes, verdict.Outcome)
	}
	want := []digest.Outcome{digest.Match, digest.Match, digest.Match, digest.Match, digest.Match, digest.Match, digest.Mismatch, digest.Unchecked}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sumAll(t, []byte(nineDigits), "md5", "xxh3"), v.Sums()); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
}

func TestNewVerifierUnknownName(t *testing.T) {
	for _, names := range [][]string{{"md4"}, {"crc32"}, {"md5", ""}} {
		if _, err := digest.NewVerifier(names, nil); err == nil {
			t.Errorf("%q are accepted", names)
		}
	}
}

// FuzzVerifier asserts that a right claim on parts matches with any sizes of parts and
// writes, and that Verdicts takes any claimed value.
func FuzzVerifier(f *testing.F) {
	f.Add([]byte("123456789"), []byte{5, 4}, byte(2), "x")
	f.Add([]byte(""), []byte{0, 0}, byte(1), "JfnnlDI7RTiF9RgfG2JNCw==-3")
	f.Add([]byte("abc"), []byte{0, 3, 0}, byte(3), "-")
	f.Fuzz(func(t *testing.T, content, cuts []byte, step byte, value string) {
		var sizes []int64
		left := int64(len(content))
		for _, n := range cuts {
			sizes = append(sizes, min(int64(n), left))
			left -= sizes[len(sizes)-1]
		}
		sizes = append(sizes, left)
		claims := []digest.Claim{
			{Algorithm: "md5", Value: inParts(string(content), sizes, md5.New) + "-" + strconv.Itoa(len(sizes)), Parts: sizes},
			{Algorithm: "md5", Value: value, Parts: sizes},
		}
		v, err := digest.NewVerifier([]string{"md5"}, claims)
		if err != nil {
			t.Fatal(err)
		}
		for rest := content; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			_, _ = v.Write(rest[:n])
			rest = rest[n:]
		}
		if got := v.Verdicts()[0]; got.Outcome != digest.Match {
			t.Errorf("%d bytes in parts of %v: %+v", len(content), sizes, got)
		}
	})
}
