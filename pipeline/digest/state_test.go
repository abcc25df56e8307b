package digest_test

import (
	"bytes"
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

// stateOf returns the state of a Verifier without claims after some content.
func stateOf(t testing.TB, content []byte, names ...string) []byte {
	t.Helper()
	v, err := digest.NewVerifier(names, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Write(content)
	state, err := v.Save()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestResumable(t *testing.T) {
	for _, name := range digest.Names() {
		want := slices.Contains(resumables, name)
		if got := digest.Resumable(name); got != want {
			t.Errorf("Resumable(%q) is %v", name, got)
		}
		if _, err := verifierOf(t, nil, name).Save(); errors.Is(err, digest.ErrNotResumable) == want {
			t.Errorf("Save of %s: %v", name, err)
		}
	}
	if digest.Resumable("md4") {
		t.Error("an unknown algorithm is resumable")
	}
	_, err := verifierOf(t, nil, "md5", "blake3", "sha1", "xxh3").Save()
	if err == nil || !strings.HasPrefix(err.Error(), "blake3, xxh3: ") {
		t.Errorf("Save does not name the algorithms that cannot be saved: %v", err)
	}
	if _, err := verifierOf(t, nil).Save(); err == nil {
		t.Error("a Verifier without algorithms was saved")
	}
}

func TestSaveAndRestore(t *testing.T) {
	content := xxhashInput(3000)
	want := sumAll(t, content, resumables...)
	cuts := []int{1000, 1023, 1024, 1025, 2048, 2999, 3000}
	for cut := range 200 { // more than a block of every algorithm
		cuts = append(cuts, cut)
	}
	for _, cut := range cuts {
		v := verifierOf(t, nil, resumables...)
		v.Write(content[:cut])
		state, err := v.Save()
		if err != nil {
			t.Fatal(err)
		}
		v.Write([]byte("not part of the state"))
		restored := verifierOf(t, nil, resumables...)
		if err := restored.Restore(state); err != nil {
			t.Fatalf("after %d bytes: %v", cut, err)
		}
		if restored.Size() != int64(cut) {
			t.Fatalf("after %d bytes: %d", cut, restored.Size())
		}
		again, err := restored.Save()
		if err != nil || !bytes.Equal(again, state) {
			t.Fatalf("after %d bytes: the restored Verifier saves another state, error %v", cut, err)
		}
		restored.Write(content[cut:])
		if diff := cmp.Diff(want, restored.Sums()); diff != "" {
			t.Fatalf("after %d bytes:\n%s", cut, diff)
		}
	}
}

// TestRestoreOldState restores a state that an earlier build saved. If the format changes,
// the checkpoints in package handlers need a new version.
func TestRestoreOldState(t *testing.T) {
	saved, err := hex.DecodeString("" +
		"000000000000000502036d6435005c6d64350167452301efcdab8998badcfe" +
		"103254763132333435000000000000000000000000000000000000000000000000000000000000000000000000000000" +
		"000000000000000000000000000000000000000000000000000000050963726336346e766d650014637263028ddd9ee4" +
		"402c7163166ae2b7ff62caf80000")
	if err != nil {
		t.Fatal(err)
	}
	if now := stateOf(t, []byte("12345"), "md5", "crc64nvme"); !bytes.Equal(now, saved) {
		t.Errorf("Save returns %x", now)
	}
	v := verifierOf(t, nil, "md5", "crc64nvme")
	if err := v.Restore(saved); err != nil {
		t.Fatal(err)
	}
	v.Write([]byte("6789"))
	want := map[string]string{"md5": "25f9e794323b453885f5181f1b624d0b", "crc64nvme": "ae8b14860a799888"}
	if diff := cmp.Diff(want, v.Sums()); diff != "" || v.Size() != 9 {
		t.Errorf("%d bytes, diff:\n%s", v.Size(), diff)
	}
}

// TestRestoreRefusesInvalidStates tries to restore states that Save cannot have returned.
func TestRestoreRefusesInvalidStates(t *testing.T) {
	part := func(name, inner string) string {
		length := binary.BigEndian.AppendUint16(nil, uint16(len(inner)))
		return string(rune(len(name))) + name + string(length) + inner
	}
	size, noParts := strings.Repeat("\x00", 8), "\x00\x00"
	md5 := stateOf(t, nil, "md5")
	md5Part := string(md5[8+1 : len(md5)-len(noParts)])
	if err := verifierOf(t, nil, "md5").Restore([]byte(size + "\x01" + md5Part + noParts)); err != nil {
		t.Fatalf("the control is refused: %v", err)
	}
	for name, state := range map[string]string{
		"nothing":                "",
		"no algorithm":           size + "\x00" + noParts,
		"negative size":          strings.Repeat("\xff", 8) + "\x01" + md5Part + noParts,
		"fewer than claimed":     size + "\x02" + md5Part,
		"more than claimed":      size + "\x01" + md5Part + md5Part + noParts,
		"algorithm twice":        size + "\x02" + md5Part + md5Part + noParts,
		"unknown algorithm":      size + "\x01" + part("md4", "x") + noParts,
		"not resumable":          size + "\x01" + part("blake3", "x") + noParts,
		"state of another":       size + "\x01" + part("sha1", md5Part[6:]) + noParts,
		"empty inner state":      size + "\x01" + part("md5", "") + noParts,
		"length past the end":    size + "\x01\x03md5\xff\xff",
		"name past the end":      size + "\x01\xffmd5",
		"a megabyte":             size + "\x01" + strings.Repeat("x", 1<<20),
		"cut in the inner state": size + "\x01" + md5Part[:len(md5Part)-1],
		"without parts":          size + "\x01" + md5Part,
		"fewer parts":            size + "\x01" + md5Part + "\x00\x01",
		"foreign bytes":          strings.Repeat("{}", 200),
	} {
		if err := verifierOf(t, nil, "md5").Restore([]byte(state)); !errors.Is(err, digest.ErrBadState) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	for _, names := range [][]string{{"md5"}, {"sha512", "crc32c"}, resumables} {
		f.Add(stateOf(f, xxhashInput(100), names...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, names := range [][]string{{"md5"}, {"sha512", "crc32c"}, resumables} {
			v := verifierOf(t, nil, names...)
			if err := v.Restore(b); err != nil {
				if !errors.Is(err, digest.ErrBadState) {
					t.Errorf("error %v", err)
				}
				continue
			}
			v.Write(b)
			if sums := v.Sums(); len(sums) != len(names) || v.Size() < 0 {
				t.Errorf("%d bytes, sums %v of %v", v.Size(), sums, names)
			}
			again, err := v.Save()
			if err != nil {
				t.Error(err)
			} else if err := verifierOf(t, nil, names...).Restore(again); err != nil {
				t.Error(err)
			}
		}
	})
}
