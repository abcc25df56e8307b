package sweep

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

// Selects reports whether the options select an item: an object, or the record of one, by the key of the object. The
// size and the time of an object that its source does not know exclude nothing.
func (o Options) Selects(i Item) bool {
	key := i.Object.Key
	switch {
	case !strings.HasPrefix(key, o.Prefix), !keyglob.Selects(o.Include, o.Exclude, key), !inSample(key, o.Sample):
		return false
	case i.Record:
		return true
	case !o.Newer.IsZero() && !i.Modified.IsZero() && !i.Modified.After(o.Newer):
		return false
	case i.Object.Size >= 0 && i.Object.Size <= o.Larger && o.Larger > 0:
		return false
	}
	return true
}

// inSample reports whether a key is in a share of all keys. It depends on the key alone, so that a smaller sample is a
// part of a larger one, and every pass looks at the same objects.
func inSample(key string, share float64) bool {
	if share <= 0 || share >= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(key))
	return float64(binary.BigEndian.Uint64(sum[:8])) < share*math.MaxUint64
}

// PrefixRange returns a range of keys that has all keys with a prefix, which is UTF-8, and few others. The bytes of
// UTF-8 have the order of their characters, and stores take only UTF-8 for a key to begin a listing after.
func PrefixRange(prefix string) Range {
	var r Range
	for rest := prefix; rest != "" && r.Through == ""; {
		last, size := utf8.DecodeLastRuneInString(rest)
		rest = rest[:len(rest)-size]
		if next := nextRune(last); next != 0 {
			r.Through = rest + string(next) // it may be a key without the prefix itself
		}
	}
	if prefix == "" {
		return r
	}
	last, size := utf8.DecodeLastRuneInString(prefix)
	r.After = prefix[:len(prefix)-size]
	if last > ' ' && utf8.ValidRune(last-1) {
		r.After += string(last-1) + string(utf8.MaxRune)
	}
	return r
}

// nextRune returns the character after one; 0: there is none.
func nextRune(r rune) rune {
	switch {
	case r == utf8.MaxRune:
		return 0
	case !utf8.ValidRune(r + 1): // a half of a pair in UTF-16
		return 0xE000
	}
	return r + 1
}
