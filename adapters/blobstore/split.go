package blobstore

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

const (
	// splitPage is how many keys a probe asks for. A part with fewer is too small to be worth a shard.
	splitPage = 1000
	// splitProbes is how many requests a split may take. It then returns the best position that it knows.
	splitProbes = 24
	// highRune comes after nearly every character that keys have, in the order of bytes and in that of UTF-16, in which
	// Azurite lists. Those from U+10000 on come after it in the first one only.
	highRune = '\uFFFC'
	lastRune = '\U0010FFFD' // that XML allows
)

// Split implements sweep.Source. It looks for the longest prefix that all keys of the range have, finds the first and the last
// character after it, and divides the characters between them in the middle. If one part has few keys, it divides the
// other one. It takes about 15 small listings.
func (s *Store) Split(ctx context.Context, r sweep.Range) (at string, ok bool, err error) {
	p := &splitter{store: s, ctx: ctx, r: r}
	at, ok, err = p.split()
	if err != nil {
		return "", false, fmt.Errorf("divide the listing of bucket %s: %w", s.name, err)
	}
	if s.fromStart.Load() {
		return "", false, nil
	}
	return at, ok, nil
}

// splitter divides one range.
type splitter struct {
	store  *Store
	ctx    context.Context
	r      sweep.Range
	probes int
}

func (p *splitter) split() (best string, ok bool, err error) {
	for p.left() > 0 && !p.store.fromStart.Load() {
		keys, err := p.keys(p.r.After, splitPage)
		if err != nil || len(keys) < 2 {
			return best, ok, err
		}
		if len(keys) < splitPage {
			if !ok {
				best = keys[len(keys)/2-1]
			}
			return best, true, nil
		}
		at, found, err := p.between(keys)
		if err != nil || !found || ok && p.left() <= 1 { // it may not have come to its end
			return best, ok, err
		}
		best, ok = at, true
		if keys[len(keys)-1] > at { // the first part is small
			p.r.After = at
			continue
		}
		rest, err := p.keys(at, splitPage)
		if err != nil || len(rest) == splitPage {
			return best, ok, err
		}
		p.r.Through = at // the second part is small
	}
	return best, ok, nil
}

// left returns how many more requests may be sent.
func (p *splitter) left() int { return splitProbes - p.probes }

// keys returns the first keys after a position, in the range.
func (p *splitter) keys(after string, want int) ([]string, error) {
	p.probes++
	l := driver.Listing{Range: sweep.Range{After: after, Through: p.r.Through}, Want: want, KeysOnly: true}
	var keys []string
	for e, err := range p.store.inOrder(p.ctx, p.store.bucket, l) {
		switch {
		case e.Key == "":
			return nil, err
		case err == nil:
			keys = append(keys, e.Key)
		}
		if len(keys) == want {
			break
		}
	}
	return keys, nil
}

// beyond returns the first key after all keys that begin with a prefix; empty if there is none in the range.
func (p *splitter) beyond(prefix string) (string, error) {
	for _, last := range []rune{highRune, lastRune} {
		keys, err := p.keys(prefix+string(last), 1)
		if err != nil || len(keys) == 0 {
			return "", err
		}
		if !strings.HasPrefix(keys[0], prefix) {
			return keys[0], nil
		}
	}
	return "", nil
}

// between returns a position between the first and the last key of the range. It is given the first keys.
func (p *splitter) between(keys []string) (at string, ok bool, err error) {
	first := keys[0]
	prefix, err := p.prefix(first, first[:commonPrefix(first, keys[len(keys)-1])])
	if err != nil {
		return "", false, err
	}
	if prefix == first { // all others begin with it
		first = keys[1]
		if prefix, err = p.prefix(first, first[:commonPrefix(first, keys[len(keys)-1])]); err != nil {
			return "", false, err
		}
	}
	low, n := utf8.DecodeRuneInString(first[len(prefix):])
	if n == 0 {
		return first, true, nil
	}
	high, err := p.highest(prefix, low)
	if err != nil || high <= low {
		return "", false, err
	}
	at = prefix + string(valid(low+(high-low)/2)) // the middle is below high
	if at < first || high-low == 1 {
		at = prefix + string(low) + string(highRune)
	}
	limit := p.store.traits.KeyLimit
	if length, _ := p.store.traits.KeyLength(at); limit > 0 && length > limit {
		return "", false, nil
	}
	return at, true, nil
}

// prefix returns the longest prefix of the first key that all keys of the range have. It is given one that some of them
// have.
func (p *splitter) prefix(first, some string) (string, error) {
	// Keys in folders of folders share many prefixes with only some of the others: a search in halves, where each answer
	// says how long the prefix is at most.
	for all, try := 0, some; len(some) > all && p.left() > 0; try = first[:whole(first, (all+len(some)+1)/2)] {
		key, err := p.beyond(try)
		if err != nil {
			return "", err
		}
		if key == "" {
			all = len(try)
		} else {
			some = first[:min(len(some), commonPrefix(first, key))]
		}
	}
	return some, nil
}

// highest returns a character after a prefix that a key of the range has, and that is nearly the highest one.
func (p *splitter) highest(prefix string, low rune) (rune, error) {
	high, limit := low, rune(utf8.MaxRune)
	beyond := max(low, 0x7f) // most keys have ASCII only
	for high < limit && (limit-high)*4 > high-low && p.left() > 1 {
		if limit == utf8.MaxRune && high > 0x7f && high < highRune {
			beyond = highRune
		}
		key, err := p.beyond(prefix + string(beyond))
		switch {
		case err != nil:
			return 0, err
		case key == "":
			limit = beyond
		default:
			high, _ = utf8.DecodeRuneInString(strings.TrimPrefix(key, prefix))
		}
		beyond = valid(high + (limit-high)/2)
	}
	return high, nil
}

// valid returns a rune, or the one before the surrogates, which no key has.
func valid(r rune) rune {
	if r >= 0xd800 && r < 0xe000 {
		return 0xd7ff
	}
	return r
}

// commonPrefix returns the length of the longest common prefix of two keys, in whole characters.
func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return whole(a, n)
}

// whole returns the length of the whole characters in the first n bytes of a string.
func whole(s string, n int) int {
	for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
