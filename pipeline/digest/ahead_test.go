package digest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"
)

// inPieces is a reader whose Read returns at most 12,345 bytes.
type inPieces struct{ io.Reader }

func (r inPieces) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 12345)]) }

func TestCopyReadsAhead(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // Copy reads ahead only if CPUs are free
	content := make([]byte, 3*aheadAfter+1234)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // it never fails
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		tail io.Reader // after the content
		want error
	}{
		{"ends", bytes.NewReader(nil), nil},
		{"breaks", iotest.ErrReader(broken), broken},
		{"empty reads", nothing{}, io.ErrNoProgress},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := New("md5", "sha256")
			if err != nil {
				t.Fatal(err)
			}
			n, err := Copy(t.Context(), d, io.MultiReader(inPieces{bytes.NewReader(content)}, test.tail))
			if n != int64(len(content)) || d.Size() != n || !errors.Is(err, test.want) {
				t.Errorf("got %d bytes, %v, want %d, %v", n, err, len(content), test.want)
			}
			if got, want := d.Sums()["md5"], fmt.Sprintf("%x", md5.Sum(content)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// nothing is a reader whose every Read returns 0 bytes and no error.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// readFunc is a reader of left arbitrary bytes, after which Read calls then.
type readFunc struct {
	left int
	then func(p []byte) (int, error)
}

func (r *readFunc) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return r.then(p)
	}
	r.left -= len(p)
	return len(p), nil
}

// TestCopyAheadIsCancelled asserts that a cancelled copy ends after the Read that is running.
func TestCopyAheadIsCancelled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	d, err := New("md5")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	reads := 0
	r := &readFunc{2 * aheadAfter, func(p []byte) (int, error) {
		reads++
		cancel(why)
		return 1, nil
	}}
	if _, err := Copy(ctx, d, r); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	after := reads
	runtime.Gosched()
	if reads != after || reads > 2*aheadChunk {
		t.Errorf("%d reads, %d of them after the end", reads, reads-after)
	}
	if d.Size() < 2*aheadAfter {
		t.Errorf("%d bytes were hashed", d.Size())
	}
}

// TestCopyAheadPanics asserts that the caller of Copy can recover a panic of its reader.
func TestCopyAheadPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	d, err := New("md5")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p := recover(); p != "panic" {
			t.Errorf("recovered %v", p)
		}
	}()
	_, err = Copy(t.Context(), d, &readFunc{2 * aheadAfter, func([]byte) (int, error) { panic("panic") }})
	t.Errorf("Copy returned %v", err)
}

func BenchmarkCopy(b *testing.B) {
	for _, size := range []int{16 << 10, 1 << 20, 64 << 20} {
		content := make([]byte, size)
		b.Run(fmt.Sprintf("lone/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			d, err := New("md5")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				d.Reset()
				if _, err := Copy(b.Context(), d, onlyReader{bytes.NewReader(content)}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("many/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				d, err := New("md5")
				if err != nil {
					b.Error(err)
					return
				}
				for pb.Next() {
					d.Reset()
					if _, err := Copy(b.Context(), d, onlyReader{bytes.NewReader(content)}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// onlyReader hides everything but Read.
type onlyReader struct{ io.Reader }
