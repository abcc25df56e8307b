package digestfield_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/bucketsum/bucketsum/handlers/web/digestfield"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func Example() {
	h := http.Header{}
	h.Set("Repr-Digest", "md5=:XUFAKrxLKna5cZ2REBfFkg==:, unixsum=:AAA=:")
	stated, err := digestfield.Read(h.Values)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := digest.New(stated.Algorithms()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = d.Write([]byte("hello"))
	for _, c := range stated.Check("request", d.Sums()) {
		fmt.Println(c.Field, c.Algorithm, c.Outcome)
	}
	fmt.Println(digestfield.Format(d.Sums()))
	// Output:
	// Repr-Digest md5 match
	// Repr-Digest unixsum unchecked
	// md5=:XUFAKrxLKna5cZ2REBfFkg==:
}

// FuzzRead: whatever a header says, it is refused or can be compared, and what was formatted is read as the same.
func FuzzRead(f *testing.F) {
	f.Add("XUFAKrxLKna5cZ2REBfFkg==", "md5=:XUFAKrxLKna5cZ2REBfFkg==:,sha-256=:AA==:;a=b")
	f.Add("", "sha-256=::")
	f.Add("\x00", "=:=:,,")
	f.Fuzz(func(t *testing.T, contentMD5, reprDigest string) {
		stated, err := digestfield.Read(func(name string) []string {
			switch name {
			case "Content-MD5":
				return []string{contentMD5}
			case "Repr-Digest":
				return []string{reprDigest}
			}
			return nil
		})
		if err != nil {
			return
		}
		d, err := digest.New(append(stated.Algorithms(), "md5")...)
		if err != nil {
			t.Fatalf("statements need %q: %v", stated.Algorithms(), err)
		}
		for _, c := range stated.Check("request", d.Sums()) {
			if checked := c.Outcome != digest.Unchecked; checked != (c.Computed != "") || checked && (c.Outcome == digest.Match) != (c.Stated == c.Computed) {
				t.Errorf("check is %+v", c)
			}
		}
		again, err := digestfield.Read(func(name string) []string {
			if name == "Repr-Digest" {
				return []string{digestfield.Format(d.Sums())}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%q is not read: %v", digestfield.Format(d.Sums()), err)
		}
		for _, c := range again.Check("request", d.Sums()) {
			if c.Outcome != digest.Match {
				t.Errorf("what was formatted is read as %+v", c)
			}
		}
	})
}
