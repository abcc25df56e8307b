package digest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// resumables are the algorithms whose state can be saved.
var resumables = []string{"md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme"}

func TestResumable(t *testing.T) {
	for _, name := range digest.Names() {
		want := slices.Contains(resumables, name)
		if got := digest.Resumable(name); got != want {
			t.Errorf("Resumable(%q) is %v", name, got)
		}
		if _, err := mustNew(t, name).Save(); errors.Is(err, digest.ErrNotResumable) == want {
			t.Errorf("Save of %s: %v", name, err)
		}
	}
	if digest.Resumable("md4") {
		t.Error("an unknown algorithm is resumable")
	}
	_, err := mustNew(t, "md5", "blake3", "sha1", "xxh3").Save()
	if err == nil || !strings.HasPrefix(err.Error(), "blake3, xxh3: ") {
		t.Errorf("Save does not name who stands in the way: %v", err)
	}
	if _, err := new(digest.Digest).Save(); err == nil {
		t.Error("a zero Digest was saved")
	}
}

func TestSaveAndRestore(t *testing.T) {
	content := xxhashInput(3000)
	want := sumAll(t, content, resumables...)
	cuts := []int{1000, 1023, 1024, 1025, 2048, 2999, 3000}
	for cut := range 200 { // several blocks of every algorithm
		cuts = append(cuts, cut)
	}
	for _, cut := range cuts {
		d := mustNew(t, resumables...)
		d.Write(content[:cut])
		state, err := d.Save()
		if err != nil {
			t.Fatal(err)
		}
		d.Write([]byte("what the first process did afterwards"))
		restored, err := digest.Restore(state)
		if err != nil {
			t.Fatalf("after %d bytes: %v", cut, err)
		}
		if restored.Size() != int64(cut) || !slices.Equal(restored.Algorithms(), resumables) {
			t.Fatalf("after %d bytes: %d of %v", cut, restored.Size(), restored.Algorithms())
		}
		again, err := restored.Save()
		if err != nil || !bytes.Equal(again, state) {
			t.Fatalf("after %d bytes: saving what was restored gives another state, error %v", cut, err)
		}
		restored.Write(content[cut:])
		if diff := cmp.Diff(want, restored.Sums()); diff != "" {
			t.Fatalf("after %d bytes:\n%s", cut, diff)
		}
	}
}

// TestRestoreOldState reads a state that an earlier build saved: a format
// change needs a new version.
func TestRestoreOldState(t *testing.T) {
	saved, err := hex.DecodeString("" +
		"6275636b657473756d2073746174650a01000000000000000502036d6435005c6d64350167452301efcdab8998badcfe" +
		"103254763132333435000000000000000000000000000000000000000000000000000000000000000000000000000000" +
		"000000000000000000000000000000000000000000000000000000050963726336346e766d650014637263028ddd9ee4" +
		"402c7163166ae2b7ff62caf8921db82a3061e4b826a70c9729dcba8bc12bf32519ee55f45b5ec6fefba18e52")
	if err != nil {
		t.Fatal(err)
	}
	d, err := digest.Restore(saved)
	if err != nil {
		t.Fatal(err)
	}
	d.Write([]byte("6789"))
	want := map[string]string{"md5": "25f9e794323b453885f5181f1b624d0b", "crc64nvme": "ae8b14860a799888"}
	if diff := cmp.Diff(want, d.Sums()); diff != "" || d.Size() != 9 {
		t.Errorf("%d bytes, diff:\n%s", d.Size(), diff)
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	d := mustNew(t, "md5", "sha256", "crc32c")
	d.Write(xxhashInput(777))
	state, err := d.Save()
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, at int, damaged []byte) {
		t.Helper()
		if _, err := digest.Restore(damaged); !errors.Is(err, digest.ErrBadState) {
			t.Errorf("%s at %d of %d: error %v", what, at, len(state), err)
		}
	}
	for i := range state {
		damaged := bytes.Clone(state)
		damaged[i] ^= 0x40
		refuse("a flipped bit", i, damaged)
		refuse("a cut", i, state[:i])
		refuse("a lost byte", i, slices.Delete(bytes.Clone(state), i, i+1))
	}
	refuse("an extra byte", len(state), append(bytes.Clone(state), 0))
	refuse("foreign bytes", 0, bytes.Repeat([]byte("{}"), 200))

	damaged := bytes.Clone(state)
	damaged[len("bucketsum state\n")] = 2
	if _, err := digest.Restore(damaged); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a later version: %v", err)
	}
}

// TestRestoreRefusesNonsense has states whose checksum is right and whose
// content cannot have come from Save.
func TestRestoreRefusesNonsense(t *testing.T) {
	part := func(name, inner string) string {
		length := binary.BigEndian.AppendUint16(nil, uint16(len(inner)))
		return string(rune(len(name))) + name + string(length) + inner
	}
	size := strings.Repeat("\x00", 8)
	md5, err := mustNew(t, "md5").Save()
	if err != nil {
		t.Fatal(err)
	}
	md5Part := string(md5[len("bucketsum state\n")+1+8+1 : len(md5)-sha256.Size])
	if _, err := digest.Restore(seal(size + "\x01" + md5Part)); err != nil {
		t.Fatalf("the control is refused: %v", err)
	}
	for name, body := range map[string]string{
		"nothing":                "",
		"no algorithm":           size + "\x00",
		"negative size":          strings.Repeat("\xff", 8) + "\x01" + md5Part,
		"fewer than claimed":     size + "\x02" + md5Part,
		"more than claimed":      size + "\x01" + md5Part + md5Part,
		"twice":                  size + "\x02" + md5Part + md5Part,
		"unknown algorithm":      size + "\x01" + part("md4", "x"),
		"not resumable":          size + "\x01" + part("blake3", "x"),
		"another's state":        size + "\x01" + part("sha1", md5Part[6:]),
		"empty inner state":      size + "\x01" + part("md5", ""),
		"length past the end":    size + "\x01\x03md5\xff\xff",
		"name past the end":      size + "\x01\xffmd5",
		"megabytes":              size + "\x01" + strings.Repeat("x", 1<<20),
		"cut in the inner state": size + "\x01" + md5Part[:len(md5Part)-1],
	} {
		if _, err := digest.Restore(seal(body)); !errors.Is(err, digest.ErrBadState) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// seal returns a state of that body with the checksum that makes it whole.
func seal(body string) []byte {
	state := []byte("bucketsum state\n\x01" + body)
	sum := sha256.Sum256(state)
	return append(state, sum[:]...)
}

func FuzzRestore(f *testing.F) {
	for _, names := range [][]string{{"md5"}, {"sha512", "crc32c"}, resumables} {
		d := mustNew(f, names...)
		d.Write(xxhashInput(100))
		state, err := d.Save()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
		f.Add(state[len("bucketsum state\n")+1 : len(state)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// As it is, and with the checksum made right so that the parts are read.
		for _, state := range [][]byte{b, seal(string(b))} {
			d, err := digest.Restore(state)
			if err != nil {
				if !errors.Is(err, digest.ErrBadState) {
					t.Errorf("error %v", err)
				}
				continue
			}
			d.Write(b)
			if sums := d.Sums(); len(sums) != len(d.Algorithms()) || d.Size() < 0 {
				t.Errorf("%d bytes, sums %v of %v", d.Size(), sums, d.Algorithms())
			}
			if again, err := d.Save(); err != nil {
				t.Error(err)
			} else if _, err := digest.Restore(again); err != nil {
				t.Error(err)
			}
		}
	})
}
