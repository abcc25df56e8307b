package digest_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func Example() {
	d, err := digest.New("md5", "crc64nvme")
	if err != nil {
		fmt.Println(err)
		return
	}
	size, err := digest.Copy(context.Background(), d, strings.NewReader("123456789"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sums := d.Sums()
	crc, _ := digest.Base64("crc64nvme", sums["crc64nvme"])
	fmt.Println(size, "bytes")
	fmt.Print(digest.FormatLine(sums["md5"], "nine.txt"))
	fmt.Println("x-amz-checksum-crc64nvme:", crc)
	// Output:
	// 9 bytes
	// 25f9e794323b453885f5181f1b624d0b  nine.txt
	// x-amz-checksum-crc64nvme: rosUhgp5mIg=
}

func ExampleVerifier_Restore() {
	v, _ := digest.NewVerifier([]string{"md5"}, nil)
	v.Write([]byte("12345"))
	state, err := v.Save()
	if err != nil {
		fmt.Println(err)
		return
	}

	// Later, in another process:
	v, _ = digest.NewVerifier([]string{"md5"}, nil)
	if err := v.Restore(state); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("continue reading at byte", v.Size())
	v.Write([]byte("6789"))
	fmt.Println(v.Sums()["md5"])
	// Output:
	// continue reading at byte 5
	// 25f9e794323b453885f5181f1b624d0b
}

// A multipart ETag of S3 is the MD5 of the parts' MD5s, with the number of parts.
func ExampleVerifier_Verdicts() {
	v, err := digest.NewVerifier([]string{"sha256"}, []digest.Claim{
		{Algorithm: "md5", Value: "25f9e794323b453885f5181f1b624d0b"},
		{Algorithm: "crc32c", Value: "AAAAAA=="},
		{Algorithm: "md5", Value: "324730582f20c3f18cbb66d63a6137d2-2", Parts: []int64{5, 4}},
		{Algorithm: "md5", Value: "00112233445566778899aabbccddeeff-2"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := digest.Copy(context.Background(), v, strings.NewReader("123456789")); err != nil {
		fmt.Println(err)
		return
	}
	for _, verdict := range v.Verdicts() {
		fmt.Println(verdict.Outcome, cmp.Or(verdict.Reason, verdict.Computed))
	}
	// Output:
	// match 25f9e794323b453885f5181f1b624d0b
	// mismatch e3069283
	// match 324730582f20c3f18cbb66d63a6137d2-2
	// unchecked the sizes of its parts are not known
}

func ExampleParser() {
	var p digest.Parser
	for _, s := range []string{
		"25f9e794323b453885f5181f1b624d0b  nine.txt",
		"25f9e794323b453885f5181f1b624d0b *nine.bin",
		"25f9e794323b453885f5181f1b624d0b nine.txt",
	} {
		line, err := p.Parse(s)
		fmt.Printf("%q %v\n", line.Name, err)
	}
	// Output:
	// "nine.txt" <nil>
	// "nine.bin" <nil>
	// "" not a checksum line: a single separator, but earlier lines have two spaces
}

func ExampleParseLine() {
	for _, s := range []string{
		`\25f9e794323b453885f5181f1b624d0b  two\nlines`,
		"SHA1 (nine.txt) = f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"hello",
	} {
		line, err := digest.ParseLine(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%q %q %s\n", line.Name, line.Algorithm, line.Value)
	}
	// Output:
	// "two\nlines" "" 25f9e794323b453885f5181f1b624d0b
	// "nine.txt" "sha1" f7c3bc1d808e04732adf679965ccc34ca7ae3441
	// not a checksum line: expected a value, a separator and a name
}

func ExampleFormatTag() {
	fmt.Print(digest.FormatTag("crc32c", "e3069283", "nine.txt"))
	// Output: CRC32C (nine.txt) = e3069283
}
