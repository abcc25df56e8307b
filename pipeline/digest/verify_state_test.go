package digest_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// claimsOn returns content in parts of these sizes and claims that match it: one on the
// whole, one on the parts.
func claimsOn(sizes ...int64) ([]byte, []digest.Claim) {
	var content, sums []byte
	for i, n := range sizes {
		part := bytes.Repeat([]byte{byte(i + 1)}, int(n))
		sum := md5.Sum(part)
		content, sums = append(content, part...), append(sums, sum[:]...)
	}
	whole, parts := crc32.ChecksumIEEE(content), md5.Sum(sums)
	return content, []digest.Claim{
		{Algorithm: "crc32", Value: hex.EncodeToString(binary.BigEndian.AppendUint32(nil, whole))},
		{Algorithm: "md5", Value: fmt.Sprintf("%x-%d", parts, len(sizes)), Parts: sizes},
	}
}

func verifierOf(t *testing.T, claims []digest.Claim, names ...string) *digest.Verifier {
	t.Helper()
	v, err := digest.NewVerifier(names, claims)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVerifierResumesAtEveryByte saves and restores the state after each byte of the
// content, on the borders of parts and beside them.
func TestVerifierResumesAtEveryByte(t *testing.T) {
	sizes := []int64{70, 70, 1, 64}
	content, claims := claimsOn(sizes...)
	for _, c := range claims[:2] { // the same values, with Either
		c.Value, _, _ = strings.Cut(c.Value, "-")
		claims = append(claims, digest.Claim{Algorithm: c.Algorithm, Value: c.Value + "-4", Parts: sizes, Either: true})
	}
	whole := verifierOf(t, claims, "sha256", "md5")
	whole.Write(content)
	for n := range len(content) + 1 {
		first := verifierOf(t, claims, "sha256", "md5")
		first.Write(content[:n])
		state, err := first.Save()
		if err != nil {
			t.Fatal(err)
		}
		first.Write([]byte("not part of the state"))
		second := verifierOf(t, claims, "md5", "sha256")
		if err := second.Restore(state); err != nil {
			t.Fatal(err)
		}
		if got := second.Size(); got != int64(n) {
			t.Errorf("the state after %d bytes is restored with size %d", n, got)
		}
		second.Write(content[n:])
		if diff := cmp.Diff(whole.Sums(), second.Sums()); diff != "" {
			t.Errorf("cut at %d: %s", n, diff)
		}
		if diff := cmp.Diff(whole.Verdicts(), second.Verdicts()); diff != "" {
			t.Errorf("cut at %d: %s", n, diff)
		}
	}
	for _, verdict := range whole.Verdicts() {
		if verdict.Outcome != digest.Match {
			t.Errorf("a claim does not match: %v", whole.Verdicts())
		}
	}
}

// TestVerifierRestoredMismatch asserts that wrong content before the state is a mismatch
// after the state was restored.
func TestVerifierRestoredMismatch(t *testing.T) {
	content, claims := claimsOn(100, 50)
	wrong := bytes.Clone(content)
	wrong[3]++
	first := verifierOf(t, claims, "sha256")
	first.Write(wrong[:120])
	state, _ := first.Save()
	second := verifierOf(t, claims, "sha256")
	if err := second.Restore(state); err != nil {
		t.Fatal(err)
	}
	second.Write(wrong[120:])
	for i, v := range second.Verdicts() {
		if v.Outcome != digest.Mismatch {
			t.Errorf("claim %d: %v", i, v)
		}
	}
}

// TestVerifierNewClaims restores a state with claims that the saved Verifier did not have.
func TestVerifierNewClaims(t *testing.T) {
	content, claims := claimsOn(100, 50)
	first := verifierOf(t, nil, "md5")
	first.Write(content[:10])
	state, _ := first.Save()
	sum := md5.Sum(content)
	second := verifierOf(t, append(claims, digest.Claim{Algorithm: "md5", Value: hex.EncodeToString(sum[:])}), "md5")
	if err := second.Restore(state); err != nil {
		t.Fatal(err)
	}
	second.Write(content[10:])
	var got []digest.Outcome
	for _, v := range second.Verdicts() {
		got = append(got, v.Outcome)
	}
	if diff := cmp.Diff([]digest.Outcome{digest.Unchecked, digest.Unchecked, digest.Match}, got); diff != "" {
		t.Error(diff)
	}
	if got := second.Sums()["md5"]; got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s", got)
	}
}

// TestVerifierNotResumable asserts that an algorithm whose state cannot be saved makes Save
// fail if it is named, and leaves a claim unchecked if only the claim needs it.
func TestVerifierNotResumable(t *testing.T) {
	if _, err := verifierOf(t, nil, "md5", "xxh3").Save(); !errors.Is(err, digest.ErrNotResumable) || !strings.Contains(err.Error(), "xxh3") {
		t.Errorf("got %v", err)
	}
	claims := []digest.Claim{{Algorithm: "xxh3", Value: "0011223344556677"}}
	first := verifierOf(t, claims, "md5")
	first.Write([]byte("first"))
	state, err := first.Save()
	if err != nil {
		t.Fatal(err)
	}
	second := verifierOf(t, claims, "md5")
	if err := second.Restore(state); err != nil {
		t.Fatal(err)
	}
	second.Write([]byte("second"))
	if v := second.Verdicts()[0]; v.Outcome != digest.Unchecked || v.Reason == "" {
		t.Errorf("got %v", v)
	}
	if got, want := second.Sums()["md5"], fmt.Sprintf("%x", md5.Sum([]byte("firstsecond"))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestVerifierBadState changes each byte and each length of a state with parts. Restore
// cannot notice a changed byte within the state of a hash; the checksum of the checkpoint
// shows that.
func TestVerifierBadState(t *testing.T) {
	content, claims := claimsOn(100, 50)
	first := verifierOf(t, claims, "md5")
	first.Write(content[:120])
	state, _ := first.Save()
	restored := func(what string, bad []byte) error {
		t.Helper()
		v := verifierOf(t, claims, "md5")
		err := v.Restore(bad)
		if err == nil {
			v.Write(content[120:])
			v.Verdicts()
			return nil
		}
		if !errors.Is(err, digest.ErrBadState) {
			t.Errorf("%s: got %v", what, err)
		}
		v.Write(content)
		if got := v.Verdicts()[1].Outcome; got != digest.Match || v.Size() != int64(len(content)) {
			t.Errorf("%s: the Verifier has changed: %v", what, got)
		}
		return err
	}
	refused := func(what string, bad []byte) {
		t.Helper()
		if restored(what, bad) == nil {
			t.Errorf("%s: not refused", what)
		}
	}
	for i := range state {
		bad := bytes.Clone(state)
		bad[i] ^= 0x40
		_ = restored(fmt.Sprint("byte ", i), bad)
		refused(fmt.Sprint("length ", i), state[:i])
	}
	refused("longer", append(bytes.Clone(state), 0))
	refused("other algorithm", stateOf(t, nil, "sha1"))
}

// FuzzVerifierRestore asserts that a Verifier can be used after any Restore, also after one
// that failed.
func FuzzVerifierRestore(f *testing.F) {
	content, claims := claimsOn(100, 50)
	v, err := digest.NewVerifier([]string{"md5"}, claims)
	if err != nil {
		f.Fatal(err)
	}
	v.Write(content[:120])
	state, _ := v.Save()
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		v := verifierOf(t, claims, "md5")
		if err := v.Restore(state); err != nil && !errors.Is(err, digest.ErrBadState) {
			t.Error(err)
		}
		v.Write(content)
		v.Verdicts()
	})
}
