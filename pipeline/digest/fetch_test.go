package digest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// atHand is a reader whose ReadNow returns every bytes in all and then fails with ErrWait.
// After a Read, ReadNow returns as many again.
type atHand struct {
	io.Reader
	every, left int
	unsupported bool // ReadNow always fails with errors.ErrUnsupported
	waits       int  // calls of ReadNow that failed with ErrWait
	reads       int  // calls of Read
}

func (r *atHand) Read(p []byte) (int, error) {
	r.reads++
	r.left = r.every
	return r.Reader.Read(p[:min(len(p), 5000)])
}

func (r *atHand) ReadNow(p []byte) (int, error) {
	if r.unsupported {
		return 0, fmt.Errorf("no: %w", errors.ErrUnsupported)
	}
	if r.left <= 0 {
		r.waits++
		return 0, ErrWait
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func TestCopyFetches(t *testing.T) {
	content := make([]byte, 6<<20+1234)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // it never fails
	broken := errors.New("broken")
	for _, every := range []int{0, 1, 64, 100_000, 128 << 10, len(content) + 1} {
		for _, test := range []struct {
			name string
			tail io.Reader // after the content
			want error
		}{
			{"ends", bytes.NewReader(nil), nil},
			{"breaks", iotest.ErrReader(broken), broken},
			{"empty reads", nothing{}, io.ErrNoProgress},
		} {
			for _, unsupported := range []bool{false, true} {
				r := &atHand{Reader: io.MultiReader(bytes.NewReader(content), test.tail), every: every, left: every, unsupported: unsupported}
				d, err := New("md5")
				if err != nil {
					t.Fatal(err)
				}
				n, err := Copy(t.Context(), d, r)
				if n != int64(len(content)) || d.Size() != n || !errors.Is(err, test.want) {
					t.Errorf("%s, %d at hand: got %d bytes, %v, want %d, %v", test.name, every, n, err, len(content), test.want)
				}
				if got, want := d.Sums()["md5"], fmt.Sprintf("%x", md5.Sum(content)); got != want {
					t.Errorf("%s, %d at hand: got %s, want %s", test.name, every, got, want)
				}
			}
		}
	}
}

// TestCopyToVerifier copies to a Verifier with one algorithm and claims on the whole, where
// Copy fetches, and to one with several algorithms or a claim on parts, where it reads. The
// checksums are right with both.
func TestCopyToVerifier(t *testing.T) {
	content := make([]byte, 1<<20+1)
	sum := fmt.Sprintf("%x", md5.Sum(content))
	for _, names := range [][]string{{"md5"}, {"md5", "sha256"}} {
		for _, claims := range [][]Claim{nil, {{Algorithm: "md5", Value: sum}}, {{Algorithm: "md5", Value: sum + "-2", Parts: []int64{1 << 20, 1}}}} {
			v, err := NewVerifier(names, claims)
			if err != nil {
				t.Fatal(err)
			}
			r := &atHand{Reader: bytes.NewReader(content), every: 300_000, left: 300_000}
			if n, err := Copy(t.Context(), v, r); n != int64(len(content)) || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			if got := v.Sums()["md5"]; got != sum {
				t.Errorf("%v, %v: got %s, want %s", names, claims, got, sum)
			}
			for _, verdict := range v.Verdicts() {
				if want := claims[0].Parts == nil; (verdict.Outcome == Match) != want {
					t.Errorf("%v: %+v", claims, verdict)
				}
			}
		}
	}
}

// TestCopyFetchIsCancelled asserts that a copy that fetches ends soon after its context.
func TestCopyFetchIsCancelled(t *testing.T) {
	d, err := New("md5")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	reads := 0
	r := &atHand{Reader: &readFunc{1 << 20, func(p []byte) (int, error) {
		reads++
		cancel(why)
		return len(p), nil
	}}, left: math.MaxInt}
	if _, err := Copy(ctx, d, r); !errors.Is(err, why) || reads != 1 {
		t.Errorf("got %v after %d reads, want %v after one", err, reads, why)
	}
}

// TestCopiesFetchTogether asserts that more than two copies that fetch share the lanes of
// one hash, although CPUs are free for reading ahead. Two copies read ahead.
func TestCopiesFetchTogether(t *testing.T) {
	if md5lanes.Kernels()[0] == "generic" {
		t.Skip("this machine has no kernel")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	content := make([]byte, 3*aheadAfter)
	for _, others := range []int64{1, 2, 7} {
		copies.Add(others)
		d, err := New("md5")
		if err != nil {
			t.Fatal(err)
		}
		r := &atHand{Reader: bytes.NewReader(content), left: math.MaxInt}
		n, err := Copy(t.Context(), d, r)
		copies.Add(-others)
		if n != int64(len(content)) || err != nil {
			t.Errorf("got %d bytes, %v", n, err)
		}
		if ahead, want := r.reads > 0, others == 1; ahead != want {
			t.Errorf("beside %d others: read ahead %v, want %v", others, ahead, want)
		}
	}
}

// TestReadFileNow reads a file to its end, which only Read may report, and asserts that a
// closed descriptor is errors.ErrUnsupported.
func TestReadFileNow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 4)
	var got []byte
	for {
		n, err := readFileNow(int(f.Fd()), p)
		if err == io.EOF {
			t.Fatal("readFileNow reports the end of the file")
		}
		if errors.Is(err, ErrWait) || errors.Is(err, errors.ErrUnsupported) {
			n, err = f.Read(p)
		}
		got = append(got, p[:n]...)
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != "content" {
		t.Errorf("got %q", got)
	}
	if _, err := readFileNow(-1, p); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("closed descriptor: %v", err)
	}
}
