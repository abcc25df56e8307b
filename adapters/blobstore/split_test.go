package blobstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// keyBucket lists keys in the order in which it has them, as an object store with very many objects.
type keyBucket struct {
	driver.Bucket
	keys       []string
	unreadable string // a folder
	fromStart  bool   // it ignores where a listing should start
	listings   int
}

func (b *keyBucket) Traits() driver.Traits { return driver.Traits{Name: "the store", KeyLimit: 1024} }
func (b *keyBucket) Check(string) error    { return nil }

func (b *keyBucket) List(_ context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		b.listings++
		if b.unreadable != "" && !yield(driver.Entry{Key: b.unreadable}, errors.New("it cannot be read")) {
			return
		}
		at := slices.IndexFunc(b.keys, func(key string) bool { return b.fromStart || key > l.Range.After })
		if at < 0 {
			return
		}
		for _, key := range b.keys[at:] {
			if !yield(driver.Entry{Key: key}, nil) {
				return
			}
		}
	}
}

func store(keys []string) (*blobstore.Store, *keyBucket) {
	b := &keyBucket{keys: keys}
	return blobstore.New(b, "inbox", blobstore.Config{}), b
}

// made returns n keys in order.
func made(n int, key func(i int) string) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key(i)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func uuid(i int) string {
	h := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// A split takes few requests and leaves neither part without a fair share of the keys.
func TestSplit(t *testing.T) {
	const n = 20_000
	for _, test := range []struct {
		name  string
		key   func(i int) string
		share float64 // that the smaller part has at least
	}{
		{"uuids", uuid, 0.3},
		{"date folders", func(i int) string {
			return fmt.Sprintf("%d/%02d/%02d/%s.jpg", 2015+i%11, i/11%12+1, i/132%28+1, uuid(i))
		}, 0.2},
		{"one prefix", func(i int) string { return fmt.Sprintf("export/part-%08d.parquet", i) }, 0.3},
		{"numbers", func(i int) string { return fmt.Sprint(i) }, 0.3},
		{"skewed", func(i int) string {
			if i < 100 {
				return fmt.Sprintf("%c-%d", 'A'+i%26, i)
			}
			return fmt.Sprintf("data/all/%d/%s", 1+1/(1+i%10), uuid(i))
		}, 0.05},
		{"skewed to the first", func(i int) string {
			if i < 100 {
				return fmt.Sprintf("z/%d", i)
			}
			return "a/" + uuid(i)
		}, 0.3},
		{"900 equal bytes", func(i int) string { return strings.Repeat("long/", 180) + uuid(i) }, 0.3},
		{"1000 equal bytes of folders", func(i int) string { return strings.Repeat("ü/", 333) + uuid(i)[:20] }, 0.3},
		{"not ASCII", func(i int) string { return string([]rune{rune(0x4e00 + i%9000), '/'}) + uuid(i) }, 0.1},
		{"ASCII and not", func(i int) string { return string(rune(0x60+i%0x100)) + uuid(i) }, 0.1},
		{"folders and their marks", func(i int) string {
			if i%100 == 0 {
				return fmt.Sprintf("dir%03d/", i/100)
			}
			return fmt.Sprintf("dir%03d/%d", i/100, i)
		}, 0.2},
		{"the first begins all others", func(i int) string {
			return "k" + strings.Repeat("0", min(i, 1)) + fmt.Sprint(i)[:min(i, len(fmt.Sprint(i)))]
		}, 0.05},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, b := store(made(n, test.key))
			at, ok, err := s.Split(t.Context(), sweep.Range{})
			if err != nil || !ok || !utf8.ValidString(at) || len(at) > 1024 {
				t.Fatalf("got %q, %t, %v", at, ok, err)
			}
			first, _ := slices.BinarySearch(b.keys, at+"\x00")
			share := float64(min(first, len(b.keys)-first)) / float64(len(b.keys))
			t.Logf("%d requests, %.2f of the keys up to %.80q", b.listings, float64(first)/float64(len(b.keys)), at)
			if share < test.share || b.listings > 25 {
				t.Errorf("the smaller part has %.3f of the keys, after %d requests", share, b.listings)
			}
		})
	}
}

// Splits that go on and on end, and each key is in one part.
func TestSplitUntilNothingIsLeft(t *testing.T) {
	for name, key := range map[string]func(i int) string{
		"runes":        func(i int) string { return string([]rune{rune(0xd000 + i*3), rune('0' + i)}) },
		"repeated":     func(i int) string { return strings.Repeat("a", i%1024+1) },
		"high":         func(i int) string { return "a" + strings.Repeat("\U0010FFFD", i%200) },
		"not UTF-8":    func(i int) string { return fmt.Sprintf("\xff%c\xfe%d", byte(i), i) },
		"one folder":   func(i int) string { return fmt.Sprintf("a/%d", i) },
		"nested names": func(i int) string { return strings.Repeat("d/", i%50) + fmt.Sprint(i) },
	} {
		t.Run(name, func(t *testing.T) {
			keys := made(3000, key)
			s, _ := store(keys)
			var got []string
			var walk func(r sweep.Range, depth int)
			walk = func(r sweep.Range, depth int) {
				if depth > 30 {
					t.Fatalf("%+q is divided again and again", r)
				}
				at, ok, err := s.Split(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if depth > 50 {
					t.Logf("%d %+q: %+q", depth, r, at)
				}
				if ok {
					if !r.Contains(at) || at == r.Through {
						t.Fatalf("%q is not in %+v", at, r)
					}
					walk(sweep.Range{After: r.After, Through: at}, depth+1)
					walk(sweep.Range{After: at, Through: r.Through}, depth+1)
					return
				}
				for i := range s.Items(t.Context(), r) {
					got = append(got, i.At)
				}
			}
			walk(sweep.Range{}, 0)
			if !slices.Equal(got, keys) {
				t.Errorf("the parts have %d keys, want %d", len(got), len(keys))
			}
		})
	}
}

func TestNothingToSplit(t *testing.T) {
	for _, keys := range [][]string{nil, {"a"}} {
		s, _ := store(keys)
		if at, ok, err := s.Split(t.Context(), sweep.Range{}); ok || err != nil {
			t.Errorf("%q: got %q, %v", keys, at, err)
		}
	}
	s, b := store(made(5000, uuid))
	b.fromStart = true
	if at, ok, err := s.Split(t.Context(), sweep.Range{After: "1", Through: "f"}); ok || err != nil {
		t.Errorf("a store that lists from the beginning: got %q, %v", at, err)
	}
}

// Ranges would lose objects of a store that lists in another order. One that only cannot start elsewhere is right, and
// slow.
func TestOrderOfListing(t *testing.T) {
	list := func(keys []string, fromStart bool, r sweep.Range) (got []string, last error) {
		s, b := store(keys)
		b.fromStart = fromStart
		for i, err := range s.Items(t.Context(), r) {
			if last = err; err == nil {
				got = append(got, i.At)
			}
		}
		return got, last
	}
	utf16 := []string{"a", "\U0001F600", "\uFB01"}
	for _, r := range []sweep.Range{{}, {After: "a"}, {After: "\U0001F5FF"}} {
		if _, err := list(utf16, false, r); pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "order of bytes") {
			t.Errorf("%+v: got %v", r, err)
		}
	}
	if _, err := list([]string{"a", "a"}, false, sweep.Range{}); err == nil {
		t.Error("a key that is listed twice is no fault")
	}
	got, err := list([]string{"a", "b", "c", "d"}, true, sweep.Range{After: "b", Through: "c"})
	if err != nil || !slices.Equal(got, []string{"c"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err = list([]string{"d", "a", "c"}, true, sweep.Range{After: "a"}); err == nil {
		t.Error("a listing from the beginning in another order is no fault")
	}
}

// A folder that cannot be read is told in each range that it may have keys of, at a position in the range: each
// may have failed to see other keys.
func TestPositionsOfErrors(t *testing.T) {
	s, b := store([]string{"a/x", "a/y"})
	b.unreadable = "a/"
	for _, r := range []sweep.Range{{}, {After: "a/", Through: "a/x"}, {After: "a/x"}} {
		last, told := r.After, false
		for i, err := range s.Items(t.Context(), r) {
			if !r.Contains(i.At) || i.At <= last {
				t.Errorf("%+q: %q comes after %q", r, i.At, last)
			}
			last, told = i.At, told || err != nil && i.Object.Key == "a/"
		}
		if !told {
			t.Errorf("%+q: the folder is not told", r)
		}
	}
}

// TestRangeOfOtherBytes: only folders have keys that are not UTF-8, and a message may name any range.
func TestRangeOfOtherBytes(t *testing.T) {
	s, b := store([]string{"a", "b"})
	for _, err := range s.Items(t.Context(), sweep.Range{After: "a\xff"}) {
		if pipeline.Classify(err) != pipeline.ClassPermanent || b.listings != 0 {
			t.Errorf("got %v after %d listings, want a permanent error", err, b.listings)
		}
		return
	}
	t.Error("no error")
}
