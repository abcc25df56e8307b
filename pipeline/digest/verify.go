package digest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"strings"
)

// claimed holds the algorithms that others claim checksums of and that are
// never recorded.
var claimed = []algorithm{
	{"crc32", crc32.Size, func() hash.Hash { return crc32.NewIEEE() }},
}

// Claim says which checksum some content has.
type Claim struct {
	Algorithm string // one of [Names], or crc32, the one of zip and Ethernet
	// Value is hexadecimal or base64. Where it ends with "-N" it is that of content
	// in N parts, as S3 has it: the checksum of the parts' checksums one after the
	// other.
	Value string
	Parts []int64 // bytes of each part; of content in parts only
	// Either says that nobody knows whether a Value with "-N" is that of the parts or
	// of the content as a whole: it is fulfilled if it is one of them, and else
	// unchecked.
	Either bool
}

// WellFormed reports whether the value is one of a known algorithm.
func (c Claim) WellFormed() bool {
	a, err := lookupClaimed(c.Algorithm)
	if err == nil {
		value, _, _ := strings.Cut(c.Value, "-")
		_, err = a.decode(value)
	}
	return err == nil
}

// Outcome is what became of a claim.
type Outcome string

// The outcomes of claims.
const (
	Match     Outcome = "match"
	Mismatch  Outcome = "mismatch"
	Unchecked Outcome = "unchecked" // nothing was learnt of the content; see Verdict.Reason
)

// Verdict is what became of a claim.
type Verdict struct {
	Outcome  Outcome
	Claimed  string // in hexadecimal, with its "-N"; empty if it could not be read
	Computed string // likewise; empty if unchecked
	Reason   string // why it is unchecked
}

// Verifier computes checksums, as a [Digest] does, and in the same pass those that
// claims need. It is not safe for concurrent use.
type Verifier struct {
	names  []string
	whole  *Digest
	parts  []*parts
	checks []check
}

// check is a claim that was read.
type check struct {
	algorithm string
	want      string // in hexadecimal
	suffix    string // "-N"; empty for content as a whole
	parts     *parts // likewise nil
	err       error  // why it cannot be checked
	or        *check // another reading of the claim; nil if there is none
}

// NewVerifier returns a Verifier that computes the named algorithms, if any, and
// checks the claims. What is wrong with a name is an error; what is wrong with a
// claim is its verdict.
func NewVerifier(names []string, claims []Claim) (*Verifier, error) {
	whole := &Digest{}
	if len(names) > 0 {
		var err error
		if whole, err = New(names...); err != nil {
			return nil, err
		}
	}
	v := &Verifier{names: whole.Algorithms(), whole: whole}
	for _, c := range claims {
		v.checks = append(v.checks, v.add(c))
	}
	return v, nil
}

// add prepares for a claim.
func (v *Verifier) add(c Claim) check {
	a, err := lookupClaimed(c.Algorithm)
	if err != nil {
		return check{err: err}
	}
	value, count, inParts := strings.Cut(c.Value, "-")
	raw, err := a.decode(value)
	if err != nil {
		return check{err: err}
	}
	k := check{algorithm: a.name, want: hex.EncodeToString(raw)}
	if !inParts {
		v.whole.add(a)
		return k
	}
	if c.Either {
		whole := v.add(Claim{Algorithm: c.Algorithm, Value: value})
		k.or = &whole
	}
	k.suffix = "-" + count
	n, err := strconv.Atoi(count)
	switch {
	case err != nil || n < 1 || strconv.Itoa(n) != count:
		k.err = fmt.Errorf("%.100q is no number of parts", count)
	case c.Parts == nil:
		k.err = errors.New("the sizes of its parts are not known")
	case len(c.Parts) != n:
		k.err = fmt.Errorf("it is of %d parts, and %d are known", n, len(c.Parts))
	default:
		k.err = checkSizes(c.Parts)
	}
	if k.err != nil {
		return k
	}
	i := slices.IndexFunc(v.parts, func(p *parts) bool { return slices.Equal(p.sizes, c.Parts) })
	if i < 0 {
		i = len(v.parts)
		v.parts = append(v.parts, newParts(c.Parts))
	}
	k.parts = v.parts[i]
	k.parts.add(a)
	return k
}

func checkSizes(sizes []int64) error {
	total := int64(0)
	for _, n := range sizes {
		if n < 0 || n > math.MaxInt64-total {
			return fmt.Errorf("a part cannot have %d bytes", n)
		}
		total += n
	}
	return nil
}

// Write implements io.Writer and never fails.
func (v *Verifier) Write(p []byte) (int, error) {
	_, _ = v.whole.Write(p) // never fails
	for _, parts := range v.parts {
		parts.write(p)
	}
	return len(p), nil
}

// Sums returns the checksums of what was written so far, of the named algorithms
// alone.
func (v *Verifier) Sums() map[string]string {
	sums, named := v.whole.Sums(), make(map[string]string, len(v.names))
	for _, name := range v.names {
		named[name] = sums[name]
	}
	return named
}

// Verdicts returns what became of the claims, in their order, once the whole
// content was written.
func (v *Verifier) Verdicts() []Verdict {
	sums := v.whole.Sums()
	verdicts := make([]Verdict, len(v.checks))
	for i, c := range v.checks {
		verdicts[i] = v.verdict(c, sums)
		if c.or != nil {
			verdicts[i] = either(verdicts[i], v.verdict(*c.or, sums))
		}
	}
	return verdicts
}

// either returns what two readings of one claim tell.
func either(parts, whole Verdict) Verdict {
	switch {
	case parts.Outcome == Match:
		return parts
	case whole.Outcome == Match:
		return whole
	}
	return Verdict{Outcome: Unchecked, Claimed: whole.Claimed, Reason: "it is not that of the whole, and may be of parts that are not known"}
}

// verdict returns what became of one reading of a claim.
func (v *Verifier) verdict(c check, sums map[string]string) Verdict {
	got, err := sums[c.algorithm], c.err
	if c.parts != nil {
		got, err = c.parts.sum(c.algorithm, v.whole.Size())
	}
	return c.verdict(got, err)
}

func (c check) verdict(got string, err error) Verdict {
	v := Verdict{Outcome: Match}
	if c.want != "" {
		v.Claimed = c.want + c.suffix
	}
	switch {
	case err != nil:
		v.Outcome, v.Reason = Unchecked, err.Error()
		return v
	case got != c.want:
		v.Outcome = Mismatch
	}
	v.Computed = got + c.suffix
	return v
}

func lookupClaimed(name string) (algorithm, error) {
	for _, a := range claimed {
		if a.name == name {
			return a, nil
		}
	}
	return lookup(name)
}

// decode reads a value in hexadecimal or base64, of which no algorithm's values
// have the same length.
func (a algorithm) decode(value string) ([]byte, error) {
	var (
		raw []byte
		err error
	)
	if len(value) == 2*a.size {
		raw, err = hex.DecodeString(value)
	}
	if len(value) != 2*a.size || err != nil { // CRC-32 is the exception, and ends with "=="
		raw, err = base64.StdEncoding.Strict().DecodeString(value)
	}
	if err != nil || len(raw) != a.size || strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%.100q is no value of %s", value, a.name)
	}
	return raw, nil
}
