package digest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Claim is a checksum that a store or a user states of some content.
type Claim struct {
	Algorithm string // one of [Names], or crc32, the CRC-32 of zip and Ethernet
	// Value is hexadecimal or base64. If it ends with "-N", the content was uploaded in N
	// parts, and the value is S3's checksum of such content: that of the concatenated
	// checksums of the parts.
	Value string
	Parts []int64 // bytes of each part, if Value ends with "-N"
	// Either means that it is not known whether a Value with "-N" is that of the parts or
	// that of the whole content. The claim matches if it is one of the two, and is
	// otherwise unchecked.
	Either bool
}

// WellFormed reports whether the algorithm is known and the value has its form. It does not
// check the "-N".
func (c Claim) WellFormed() bool {
	a, err := lookupClaimed(c.Algorithm)
	if err == nil {
		value, _, _ := strings.Cut(c.Value, "-")
		_, err = a.decode(value)
	}
	return err == nil
}

// Outcome is the result of checking a claim.
type Outcome string

// The outcomes of claims.
const (
	Match     Outcome = "match"
	Mismatch  Outcome = "mismatch"
	Unchecked Outcome = "unchecked" // the claim says nothing about the content; see Verdict.Reason
)

// Verdict is the outcome of a claim with the two checksums.
type Verdict struct {
	Outcome  Outcome
	Claimed  string // hexadecimal, with its "-N"; empty if the value is malformed
	Computed string // hexadecimal, with its "-N"; empty if unchecked
	Reason   string // why the claim is unchecked
}

// Verifier computes checksums like a [Digest] and checks claims in the same pass. It is not
// safe for concurrent use.
type Verifier struct {
	names  []string
	whole  *Digest
	parts  []*parts
	checks []check
}

// check is one reading of a claim.
type check struct {
	algorithm string
	want      string // hexadecimal
	suffix    string // "-N"; empty for the whole content
	parts     *parts // nil for the whole content
	err       error  // why the claim cannot be checked
	or        *check // the other reading of the claim; nil if there is one only
}

// NewVerifier returns a Verifier that computes the named algorithms, if any, and checks the
// claims. A name that is not one of [Names] is an error. A claim that cannot be checked is not: its verdict
// says so.
func NewVerifier(names []string, claims []Claim) (*Verifier, error) {
	whole := &Digest{}
	if len(names) > 0 {
		err := CheckNames(names...)
		if err == nil {
			whole, err = New(names...)
		}
		if err != nil {
			return nil, err
		}
	}
	v := &Verifier{names: whole.Algorithms(), whole: whole}
	for _, c := range claims {
		v.checks = append(v.checks, v.add(c))
	}
	return v, nil
}

// add makes v compute what the claim needs and returns the check.
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
		k.err = fmt.Errorf("%.100q is not a number of parts", count)
	case c.Parts == nil:
		k.err = errors.New("the sizes of its parts are not known")
	case len(c.Parts) != n:
		k.err = fmt.Errorf("it has %d parts, but sizes for %d", n, len(c.Parts))
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

// Sums returns the checksums of the bytes written so far, by algorithm. It has the named
// algorithms only, not those that only claims need.
func (v *Verifier) Sums() map[string]string {
	sums, named := v.whole.Sums(), make(map[string]string, len(v.names))
	for _, name := range v.names {
		named[name] = sums[name]
	}
	return named
}

// Verdicts returns the verdicts on the claims, in the order of [NewVerifier]'s argument. The
// whole content must have been written.
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

// either returns the verdict on a claim that has two readings.
func either(parts, whole Verdict) Verdict {
	switch {
	case parts.Outcome == Match:
		return parts
	case whole.Outcome == Match:
		return whole
	}
	return Verdict{Outcome: Unchecked, Claimed: whole.Claimed, Reason: "it is not the checksum of the whole content, and may be one of parts of unknown sizes"}
}

// verdict returns the verdict on one reading of a claim.
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

// lookupClaimed returns an algorithm whose checksums stores state.
func lookupClaimed(name string) (algorithm, error) {
	if name != "crc32" {
		if err := CheckNames(name); err != nil {
			return algorithm{}, err
		}
	}
	return lookup(name)
}

// decode reads a hexadecimal or base64 value. Except for CRC-32, the length tells the two
// forms apart.
func (a algorithm) decode(value string) ([]byte, error) {
	var (
		raw []byte
		err error
	)
	if len(value) == 2*a.size {
		raw, err = hex.DecodeString(value)
	}
	if len(value) != 2*a.size || err != nil { // a CRC-32 in base64 ends with "=="
		raw, err = base64.StdEncoding.Strict().DecodeString(value)
	}
	if err != nil || len(raw) != a.size || strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%.100q is not a value of %s", value, a.name)
	}
	return raw, nil
}
