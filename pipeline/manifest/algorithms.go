package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// spellings are names of algorithms that other programs write otherwise than package digest.
var spellings = map[string]string{
	"xxhash3": "xxh3", // copyrite
	"b3":      "blake3", "b2": "blake2b", "blake2": "blake2b", "blake2b-512": "blake2b", "blake2b512": "blake2b",
	"sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512",
	"sha512/256": "sha512-256", "sha3224": "sha3-224", "sha3256": "sha3-256", "sha3384": "sha3-384", "sha3512": "sha3-512",
	"crc": "crc32", "crc-32": "crc32", "xxhash": "xxh",
}

const blake2bPrefix = "blake2b-"

// canonical returns the name that package digest has, or would have, for an algorithm.
func canonical(name string) string {
	name = strings.ToLower(name)
	if other := spellings[name]; other != "" {
		return other
	}
	return name
}

// known returns the name that package digest has for an algorithm; empty if the caller cannot compute it.
func (r *Reader) known(name string) string {
	name = canonical(name)
	family := name
	if strings.HasPrefix(name, blake2bPrefix) && digest.Size(name) > 0 {
		family = "blake2b"
	}
	if !slices.Contains(r.o.Known, family) {
		return ""
	}
	return name
}

// blake2b returns the name of BLAKE2b with values of so many bits.
func blake2b(bits int) string { return fmt.Sprint(blake2bPrefix, bits) }

// isChosen reports whether the user chose an algorithm, or none. BLAKE2b stands for all lengths of its values.
func (r *Reader) isChosen(a string) bool {
	chosen := r.o.Algorithms
	return len(chosen) == 0 || slices.Contains(chosen, a) || strings.HasPrefix(a, blake2bPrefix) && slices.Contains(chosen, "blake2b")
}

// families are names that lists have and that leave the length of values open; with the bits behind them they are names of algorithms.
var families = map[string]string{"blake2b": blake2bPrefix, "sha3": "sha3-", "xxh": "xxh"}

// unknown are algorithms that package digest does not have, and whose values look like those of one that it has.
var unknown = []string{"blake2s", "crc64", "ripemd160", "rmd160", "tiger", "whirlpool", "streebog", "gost", "keccak", "ed2k", "md4", "md2", "shake128", "shake256"}

// algorithmOf returns the algorithm that the name of a list tells, as manifest-md5.txt, SHA256SUMS, md5sums.txt and
// photos.sha1 do; or a family of algorithms, or one that is not known here.
func algorithmOf(f Form, name string) string {
	name = strings.ToLower(name)
	if f == BagIt {
		return canonical(bagName.FindStringSubmatch(name)[1])
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		for _, w := range []string{word, strings.TrimSuffix(strings.TrimSuffix(word, "s"), "sum")} {
			if w = canonical(w); digest.Size(w) > 0 || families[w] != "" || slices.Contains(unknown, w) {
				return w
			}
		}
	}
	return ""
}

// usual are the algorithms of values without a tag: of those with values of the same length, the first one.
var usual = []string{"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "xxh64", "crc32"}

// untagged returns the algorithm of a value without a tag: the one that the user chose, or that the name of the list says, or the
// usual one of its length.
func (r *Reader) untagged(value string) (string, error) {
	fits := func(a string) bool { return digest.Valid(a, value) }
	fitting := slices.DeleteFunc(slices.Clone(r.o.Known), func(a string) bool { return !fits(a) })
	if len(r.o.Algorithms) > 0 {
		return r.chosen(value, fitting)
	}
	if r.named != "" {
		names := []string{r.named}
		if family := families[r.named]; family != "" {
			names = append(names, fmt.Sprint(family, 4*len(value)))
		}
		for _, name := range names {
			if fits(name) && r.known(name) != "" {
				return name, nil
			}
		}
		if len(names) > 1 || slices.Contains(unknown, r.named) || fits(r.named) {
			return "", fmt.Errorf("the name of the list says %s, which is not one of %s; if it is one of these, name it with --algorithms",
				r.named, strings.Join(r.o.Known, ", "))
		}
	}
	if len(fitting) == 0 {
		return "", fmt.Errorf("no algorithm has values of %d digits unless --algorithms names it", len(value))
	}
	for _, a := range usual {
		if !slices.Contains(fitting, a) {
			continue
		}
		others := slices.DeleteFunc(fitting, func(other string) bool { return other == a })
		if short := blake2b(4 * len(value)); len(value) >= 32 && r.known(short) != "" && digest.Valid(short, value) && !fits("blake2b") {
			others = append(others, short)
		}
		if len(others) > 0 {
			r.note("values of %d digits were taken for %s; if they are of %s, say so with --algorithms", len(value), a, strings.Join(others, " or "))
		}
		return a, nil
	}
	if len(fitting) == 1 && len(value) > 8 { // 8 digits are more often those of a CRC-32
		return fitting[0], nil
	}
	return "", fmt.Errorf("a value of %d digits may be of %s; name one with --algorithms", len(value), strings.Join(fitting, " or "))
}

// chosen returns the algorithm of a value without a tag if it is one that the user chose.
func (r *Reader) chosen(value string, fitting []string) (string, error) {
	chosen := slices.DeleteFunc(slices.Clone(r.o.Algorithms), func(a string) bool { return !digest.Valid(a, value) })
	if short := blake2b(4 * len(value)); len(chosen) == 0 && r.isChosen(short) && digest.Valid(short, value) {
		chosen = append(chosen, short)
	}
	switch {
	case len(chosen) == 1:
		return chosen[0], nil
	case len(chosen) > 1:
		return "", fmt.Errorf("a value of %d digits may be of %s; name one with --algorithms", len(value), strings.Join(chosen, " or "))
	case len(fitting) == 0:
		return "", fmt.Errorf("no algorithm of --algorithms has values of %d digits", len(value))
	}
	return "", fmt.Errorf("no algorithm of --algorithms has values of %d digits; of that length are those of %s", len(value), strings.Join(fitting, ", "))
}
