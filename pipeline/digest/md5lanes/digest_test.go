package md5lanes_test

import (
	"bytes"
	"crypto/md5"
	"encoding"
	"fmt"
	"hash"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// eachKernel runs test with an engine for every kernel that this CPU can run.
func eachKernel(t *testing.T, test func(t *testing.T, e *md5lanes.Engine)) {
	for _, kernel := range md5lanes.Kernels() {
		t.Run(kernel, func(t *testing.T) {
			e, err := md5lanes.NewEngine(md5lanes.Config{Kernel: kernel})
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Kernel(); got != kernel {
				t.Fatalf("Kernel() = %q, want %q", got, kernel)
			}
			test(t, e)
		})
	}
}

func randomBytes(n int, seed byte) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

// TestLengths hashes contents of many lengths at the same time, each in one Write.
func TestLengths(t *testing.T) {
	var lengths []int
	for n := range 2500 { // lanes hash writes of 2048 bytes and more
		lengths = append(lengths, n)
	}
	for n := 2560; n < 5000; n += md5.BlockSize {
		lengths = append(lengths, n-1, n, n+1)
	}
	for _, n := range []int{8 << 10, 16 << 10, 64 << 10, 128 << 10, 1 << 20, 2 << 20} {
		for d := -65; d <= 65; d += 13 {
			lengths = append(lengths, n+d, n+d+d%2)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		lengths = append(lengths, r.IntN(1_000_001))
	}
	data := randomBytes(3<<20, 1)
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		next := make(chan int)
		var wg sync.WaitGroup
		for w := range 40 {
			wg.Go(func() {
				for n := range next {
					p := data[w : w+n] // at every alignment
					h := e.New()
					h.Write(p)
					if got, want := [md5.Size]byte(h.Sum(nil)), md5.Sum(p); got != want {
						t.Errorf("%d bytes: sum %x, want %x", n, got, want)
					}
				}
			})
		}
		for _, n := range lengths {
			next <- n
		}
		close(next)
		wg.Wait()
	})
}

// writer calls random methods of a hash, and the same ones of a hash of crypto/md5.
type writer struct {
	*rand.Rand
	new  func() hash.Hash
	got  hash.Hash
	want hash.Hash
}

func newWriter(new func() hash.Hash, seed uint64) *writer {
	return &writer{Rand: rand.New(rand.NewPCG(seed, 1)), new: new, got: new(), want: md5.New()}
}

// size returns a length that is small, near a boundary or big.
func (w *writer) size() int {
	switch w.IntN(4) {
	case 0:
		return w.IntN(200)
	case 1:
		return max(0, w.IntN(40)*64+w.IntN(5)-2)
	case 2:
		return 2048 + w.IntN(129) - 64
	}
	return w.IntN(100_000)
}

func (w *writer) step(data []byte) error {
	switch w.IntN(16) {
	case 0: // sum midway
		if got, want := w.got.Sum([]byte("x")), w.want.Sum([]byte("x")); !bytes.Equal(got, want) {
			return fmt.Errorf("sum %x, want %x", got, want)
		}
	case 1:
		w.got.Reset()
		w.want.Reset()
	case 2: // swap the states with the other implementation
		return w.exchange()
	case 3:
		c, err := w.got.(hash.Cloner).Clone()
		if err != nil {
			return err
		}
		w.got.Write([]byte("not part of the clone"))
		w.got = c
	case 4: // abandon
		w.got, w.want = w.new(), md5.New()
	case 5, 6: // fetch
		h, ok := w.got.(md5lanes.Fetcher)
		if !ok {
			return nil
		}
		at, n, buf := w.IntN(64), w.size(), make([]byte, 1+w.size())
		w.want.Write(data[at : at+n])
		left := data[at : at+n]
		m, err := h.WriteFrom(buf, func(p []byte) int {
			if w.IntN(4) == 0 { // do not fill the buffer
				p = p[:1+w.IntN(len(p))]
			}
			n := copy(p, left)
			left = left[n:]
			return n
		})
		if m != int64(n) || err != nil {
			return fmt.Errorf("WriteFrom of %d bytes = %d, %v", n, m, err)
		}
	default:
		at, n := w.IntN(64), w.size()
		if m, err := w.got.Write(data[at : at+n]); m != n || err != nil {
			return fmt.Errorf("Write of %d bytes = %d, %v", n, m, err)
		}
		w.want.Write(data[at : at+n])
	}
	return nil
}

// exchange compares the states of the two hashes and gives each the state of the other.
func (w *writer) exchange() error {
	got, err := w.got.(encoding.BinaryAppender).AppendBinary([]byte("x"))
	if err != nil {
		return err
	}
	want, err := w.want.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(got[1:], want) {
		return fmt.Errorf("state %x, want %x", got[1:], want)
	}
	if w.IntN(2) == 0 {
		w.got, w.want = w.new(), md5.New()
	}
	if err := w.got.(encoding.BinaryUnmarshaler).UnmarshalBinary(want); err != nil {
		return err
	}
	return w.want.(encoding.BinaryUnmarshaler).UnmarshalBinary(got[1:])
}

func (w *writer) run(steps int, data []byte) error {
	for i := range steps {
		if err := w.step(data); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	if got, want := w.got.Sum(nil), w.want.Sum(nil); !bytes.Equal(got, want) {
		return fmt.Errorf("final sum %x, want %x", got, want)
	}
	return nil
}

// interleave runs writers with different numbers of steps at the same time.
func interleave(t *testing.T, e *md5lanes.Engine, writers, steps int, seed uint64, data []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			w := newWriter(e.New, seed+uint64(i))
			if err := w.run(1+w.IntN(steps), data); err != nil {
				t.Errorf("writer %d of %d, seed %d: %v", i, writers, seed, err)
			}
		})
	}
	wg.Wait()
}

func TestInterleavings(t *testing.T) {
	data := randomBytes(100_100, 2)
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		for i, writers := range []int{1, 2, 3, 7, 8, 15, 16, 17, 24, 31, 33, 64, 100} {
			interleave(t, e, writers, 30, uint64(1000*i), data)
		}
	})
}

// TestStateAtEveryOffset saves the state at an offset and resumes with the other
// implementation.
func TestStateAtEveryOffset(t *testing.T) {
	data := randomBytes(4500, 3)
	want := md5.Sum(data)
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		for offset := range 2200 { // lanes hash writes of 2048 bytes and more, also after the state
			for _, order := range [][2]func() hash.Hash{{e.New, md5.New}, {md5.New, e.New}} {
				first, second := order[0](), order[1]()
				first.Write(data[:offset])
				state, err := first.(encoding.BinaryMarshaler).MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				second.Write(data[:2500]) // the state replaces it
				if err := second.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
					t.Fatal(err)
				}
				for _, h := range []hash.Hash{first, second} {
					h.Write(data[offset:])
					if got := [md5.Size]byte(h.Sum(nil)); got != want {
						t.Fatalf("%T saved at %d, resumed as %T: sum %x, want %x", first, offset, h, got, want)
					}
				}
			}
		}
	})
}

func TestBadStateIsRefused(t *testing.T) {
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		h := e.New()
		h.Write(randomBytes(4096, 4))
		before := h.Sum(nil)
		state, _ := h.(encoding.BinaryMarshaler).MarshalBinary()
		for _, bad := range [][]byte{nil, []byte("md5"), state[:len(state)-1], append([]byte("sha"), state[3:]...)} {
			if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(bad); err == nil {
				t.Errorf("state %x was accepted", bad)
			}
		}
		if after := h.Sum(nil); !bytes.Equal(after, before) {
			t.Errorf("sum %x after refused states, want %x", after, before)
		}
	})
}

// TestSynctestBubble shares an engine between a bubble of synctest and goroutines outside it.
func TestSynctestBubble(t *testing.T) {
	data := randomBytes(100_100, 5)
	eachKernel(t, func(t *testing.T, e *md5lanes.Engine) {
		var outside sync.WaitGroup
		defer outside.Wait()
		for i := range 20 {
			outside.Go(func() {
				if err := newWriter(e.New, uint64(i)).run(100, data); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 3 {
			synctest.Test(t, func(t *testing.T) {
				interleave(t, e, 20, 30, uint64(100*i), data)
				synctest.Wait()
			})
		}
	})
}

func FuzzInterleavings(f *testing.F) {
	f.Add(uint64(1), byte(1), byte(10))
	f.Add(uint64(2), byte(16), byte(30))
	f.Add(uint64(3), byte(40), byte(20))
	data := randomBytes(100_100, 6)
	var engines []*md5lanes.Engine
	for _, kernel := range md5lanes.Kernels() {
		e, err := md5lanes.NewEngine(md5lanes.Config{Kernel: kernel})
		if err != nil {
			f.Fatal(err)
		}
		engines = append(engines, e)
	}
	f.Fuzz(func(t *testing.T, seed uint64, writers, steps byte) {
		for _, e := range engines {
			interleave(t, e, 1+int(writers)%64, 1+int(steps)%64, seed, data)
		}
	})
}

// FuzzWrites hashes the same content several times at the same time, in writes of a size that
// the fuzzer chooses.
func FuzzWrites(f *testing.F) {
	f.Add([]byte("seed"), uint16(2048), uint16(64), byte(3))
	f.Add(bytes.Repeat([]byte{0x80}, 300), uint16(65535), uint16(1), byte(16))
	f.Fuzz(func(t *testing.T, pattern []byte, repeat, cut uint16, writers byte) {
		data := bytes.Repeat(pattern, 1+min(int(repeat), 1_000_000/max(1, len(pattern))))
		cut = max(cut, uint16(len(data)/2000)) // bounds the time
		want := md5.Sum(data)
		for _, kernel := range md5lanes.Kernels() {
			e, err := md5lanes.NewEngine(md5lanes.Config{Kernel: kernel})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 1 + writers%20 {
				wg.Go(func() {
					h := e.New()
					for p := data; len(p) > 0; {
						n := min(len(p), max(1, int(cut)))
						h.Write(p[:n])
						p = p[n:]
					}
					if got := [md5.Size]byte(h.Sum(nil)); got != want {
						t.Errorf("%s: %d bytes cut by %d: sum %x, want %x", kernel, len(data), cut, got, want)
					}
				})
			}
			wg.Wait()
		}
	})
}
