package digest

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"regexp"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Line is one line of a checksum file as md5sum and its relatives print it.
type Line struct {
	Value     string // hexadecimal, in lower case
	Name      string // unescaped
	Algorithm string // if the line names it, as "MD5 (name) = value" does; otherwise empty
}

// ErrNoLine is wrapped by the errors of [ParseLine] and [Parser.Parse].
var ErrNoLine = errors.New("not a checksum line")

// FormatLine returns the line that md5sum prints for a file of that name, including the
// newline. It escapes a name that would break the line, and marks that with a backslash
// before the value.
func FormatLine(value, name string) string {
	if escaped := EscapeName(name); escaped != name {
		return `\` + value + "  " + escaped + "\n"
	}
	return value + "  " + name + "\n"
}

// FormatTag returns the line that md5sum --tag prints, including the newline. Unlike that
// of [FormatLine], it names the algorithm.
func FormatTag(algorithm, value, name string) string {
	prefix, escaped := "", EscapeName(name)
	if escaped != name {
		prefix = `\`
	}
	return prefix + Tag(algorithm) + " (" + escaped + ") = " + value + "\n"
}

// ParseLine reads one line, without its newline, in every form that md5sum -c reads: two
// spaces, a space and an asterisk, or a single space or tab before the name; escaped
// names; upper-case values; BSD-style lines; a carriage return at the end. It also reads the
// tags of OpenSSL ("SHA2-256(name)= value") and of uutils ("BLAKE3-256 (name) = value"),
// xxhsum's "XXH3_value  name", and values in base64, as cksum --base64 prints them. Its errors
// wrap [ErrNoLine], and [UnknownError] if the line names an algorithm that is not known. For the lines of one file use a [Parser].
func ParseLine(s string) (Line, error) {
	var p Parser
	return p.Parse(s)
}

// Parser reads the lines of one checksum file. Like md5sum -c it requires that all untagged
// lines have the separator of the first one. If that is a single space or tab, the rest of
// every line is the name. If it is two spaces, a line with a single one is an error, so
// that an attacker cannot add a name that starts with a space. The zero value is ready. A
// Parser is not safe for concurrent use.
type Parser struct {
	// AnyLength: lines without a tag may have values of any length, as BLAKE2b has. Short ones look like other numbers, such as the
	// decimal ones of cksum, and base64 without padding looks like words.
	AnyLength bool
	separator separator
}

type separator int

const (
	separatorOpen   separator = iota
	separatorDouble           // space and mode character, as GNU tools print
	separatorSingle           // as BSD tools print with -r
)

// Parse reads the next line, given without its newline. Its errors wrap
// [ErrNoLine] and leave the parser as it was.
func (p *Parser) Parse(s string) (Line, error) {
	line, err := p.parse(strings.TrimSuffix(s, "\r"))
	if err != nil {
		return Line{}, fmt.Errorf("%w: %w", ErrNoLine, err)
	}
	return line, nil
}

func (p *Parser) parse(s string) (Line, error) {
	if strings.Contains(s, "\n") {
		return Line{}, errors.New("more than one line")
	}
	s = strings.TrimLeft(s, " \t")
	s, escaped := strings.CutPrefix(s, `\`)
	if a, rest, ok := cutTag(s); ok {
		return parseTagged(a, rest, escaped)
	}
	end := strings.IndexAny(s, " \t")
	if end < 0 || end == len(s)-1 {
		return Line{}, errors.New("expected a value, a separator and a name")
	}
	value, name, algorithm := s[:end], s[end+1:], ""
	if v, ok := strings.CutPrefix(value, "XXH3_"); ok {
		value, algorithm = v, "xxh3"
	}
	value, ok := p.parseValue(value)
	switch {
	case !ok:
		if tag := taggedLine.FindStringSubmatch(s); tag != nil {
			return Line{}, UnknownError(tag[1])
		}
		return Line{}, errors.New("the value is not hexadecimal")
	case !p.isSize(len(value)):
		return Line{}, fmt.Errorf("no algorithm has values of %d digits", len(value))
	case algorithm != "" && !Valid(algorithm, value):
		return Line{}, fmt.Errorf("%s has no values of %d digits", algorithm, len(value))
	}
	found := separatorDouble
	if len(name) == 1 || name[0] != ' ' && name[0] != '*' {
		if p.separator == separatorDouble {
			return Line{}, errors.New("a single separator, but earlier lines have two spaces")
		}
		found = separatorSingle
	} else if p.separator == separatorSingle {
		found = separatorSingle
	} else {
		name = name[1:]
	}
	if escaped {
		var err error
		if name, err = unescape(name); err != nil {
			return Line{}, err
		}
	}
	p.separator = found
	return Line{Value: value, Name: name, Algorithm: algorithm}, nil
}

// UnknownError is the name of an algorithm that a line has, and that this package does not.
type UnknownError string

func (e UnknownError) Error() string { return string(e) + " is not known" }

// taggedLine is a tagged line of any algorithm.
var taggedLine = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9/_-]{0,31}) ?\(.*\)[ \t]*=[ \t]*[0-9A-Za-z+/]{8,}=*$`)

// tags are the names of algorithms in tagged lines: those of coreutils, and those that other programs print.
var tags = func() map[string]string {
	names := map[string]string{
		"SHA2-224": "sha224", "SHA2-256": "sha256", "SHA2-384": "sha384", "SHA2-512": "sha512", "SHA2-512/256": "sha512-256", // OpenSSL 3
		"SHA512-256": "sha512-256", "BLAKE2b512": "blake2b", // OpenSSL 1.1
		"SHA512t256": "sha512-256", // FreeBSD
		"BLAKE3-256": "blake3",     // uutils coreutils
		"BLAKE2B":    "blake2b",    // rhash
	}
	for _, a := range algorithms {
		names[a.tag] = a.name
	}
	return names
}()

// cutTag cuts the tag of a known algorithm off a line.
func cutTag(s string) (a algorithm, rest string, ok bool) {
	end := strings.IndexAny(s, " (")
	if end < 0 {
		return a, s, false
	}
	tag := s[:end]
	name := tags[tag]
	if bits, ok := strings.CutPrefix(strings.Replace(tag, "BLAKE2B-", "BLAKE2b-", 1), "BLAKE2b-"); ok { // OpenSSL has a large B
		name = "blake2b-" + bits
	}
	a, ok = find(name)
	return a, s[end:], ok
}

// parseValue returns a value in lower-case hexadecimal. One in base64 ends with a padding character, or is of one of the
// algorithms with 48 bytes.
func (p *Parser) parseValue(s string) (string, bool) {
	if isHex(s) {
		return strings.ToLower(s), true
	}
	raw, ok := parseBase64(s)
	return hex.EncodeToString(raw), ok && (p.AnyLength || strings.HasSuffix(s, "=") || len(raw) == sha512.Size384)
}

// parseValueOf is parseValue for values of so many bytes, in a line with a tag.
func parseValueOf(size int, s string) (string, bool) {
	if len(s) == 2*size && isHex(s) {
		return strings.ToLower(s), true
	}
	raw, ok := parseBase64(s)
	return hex.EncodeToString(raw), ok && len(raw) == size
}

// parseBase64 refuses bits beyond the value, as coreutils do, and line ends, which the decoder skips.
func parseBase64(s string) ([]byte, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	return raw, err == nil && !strings.Contains(s, "\r")
}

// parseTagged reads what follows the tag of a BSD-style line.
func parseTagged(a algorithm, s string, escaped bool) (Line, error) {
	s, ok := strings.CutPrefix(strings.TrimPrefix(s, " "), "(")
	end := strings.LastIndexByte(s, ')')
	if !ok || end < 0 {
		return Line{}, errors.New("expected a name in parentheses after " + a.tag)
	}
	name := s[:end]
	value, ok := strings.CutPrefix(strings.TrimLeft(s[end+1:], " \t"), "=")
	if ok {
		value, ok = parseValueOf(a.size, strings.TrimLeft(value, " \t"))
	}
	if !ok {
		return Line{}, fmt.Errorf("expected = and %d hexadecimal digits after the name", 2*a.size)
	}
	if escaped {
		var err error
		if name, err = unescape(name); err != nil {
			return Line{}, err
		}
	}
	return Line{Value: value, Name: name, Algorithm: a.name}, nil
}

// Valid reports whether value has the form in which this package prints the algorithm's
// values.
func Valid(algorithm, value string) bool {
	a, ok := find(algorithm)
	return ok && len(value) == 2*a.size && isHex(value) && strings.ToLower(value) == value
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// isSize reports whether an algorithm has values of that many digits. BLAKE2b has values of each length.
func (p *Parser) isSize(digits int) bool {
	return (p.AnyLength || digits == 2*crc32.Size || digits >= 2*crc64.Size) && digits <= 2*blake2b.Size
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// EscapeName returns the name with its backslashes, newlines and carriage returns escaped
// as coreutils does.
func EscapeName(name string) string { return escaper.Replace(name) }

// unescape reverses EscapeName. Any escape other than its three is an error.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i == len(s)-1 {
			return "", errors.New("the name ends in the middle of an escape")
		}
		b.WriteString(s[:i])
		switch s[i+1] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			return "", fmt.Errorf("the name has an unknown escape: backslash %q", s[i+1])
		}
		s = s[i+2:]
	}
}
