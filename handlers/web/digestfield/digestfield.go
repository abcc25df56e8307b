// Package digestfield reads the headers that state checksums, Content-MD5 and those of RFC 9530, and compares content
// with them.
package digestfield

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// statement is a checksum that a header states.
type statement struct {
	field     string // name of the header
	algorithm string
	known     bool // the algorithm is one of package digest; else its name is the header's
	value     []byte
}

// Statements are the checksums that the headers of a request state.
type Statements []statement

// Checked is the comparison of content with a statement.
type Checked struct {
	Field     string         `json:"field"`     // Content-MD5, Content-Digest or Repr-Digest
	Of        string         `json:"of"`        // request or file: whose header it is, and whose bytes were compared
	Algorithm string         `json:"algorithm"` // the header's name, if there is no such algorithm here
	Outcome   digest.Outcome `json:"outcome"`   // match, mismatch or unchecked
	Stated    string         `json:"stated"`    // hexadecimal
	Computed  string         `json:"computed,omitempty"`
}

// fieldNames are the names of algorithms in the fields of RFC 9530, the strongest first.
var fieldNames = []struct{ field, algorithm string }{
	{"sha-512", "sha512"}, {"sha-256", "sha256"}, {"sha", "sha1"}, {"md5", "md5"}, {"crc32c", "crc32c"},
}

const maxStatements = 32

// Read returns what headers state; values returns those of a name. A malformed one is an error: a client that sends it
// wants the check.
func Read(values func(name string) []string) (Statements, error) {
	var all Statements
	for _, text := range values("Content-MD5") {
		value, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(value) != digest.Size("md5") {
			return nil, errors.New("Content-MD5 is not the base64 of 16 bytes")
		}
		all = append(all, statement{"Content-MD5", "md5", true, value})
	}
	for _, field := range []string{"Content-Digest", "Repr-Digest"} {
		for _, text := range values(field) {
			for member := range strings.SplitSeq(text, ",") {
				s, ok := statementOf(field, strings.Trim(member, " \t"))
				if !ok {
					return nil, errors.New(field + " is not in the form of RFC 9530, as sha-256=:BASE64:")
				}
				all = append(all, s)
			}
		}
	}
	if len(all) > maxStatements {
		return nil, fmt.Errorf("the headers state more than %d checksums", maxStatements)
	}
	return all, nil
}

// statementOf reads a member of a field of RFC 9530.
func statementOf(field, member string) (statement, bool) {
	member, _, _ = strings.Cut(member, ";") // parameters mean nothing
	name, text, _ := strings.Cut(member, "=")
	text, opened := strings.CutPrefix(text, ":")
	text, closed := strings.CutSuffix(text, ":")
	value, err := base64.StdEncoding.DecodeString(text)
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.*") != "" || !opened || !closed || err != nil {
		return statement{}, false
	}
	for _, known := range fieldNames {
		if known.field == name {
			return statement{field, known.algorithm, true, value}, len(value) == digest.Size(known.algorithm)
		}
	}
	return statement{field, name, false, value}, true
}

// Algorithms returns the algorithms that are needed to check the statements.
func (all Statements) Algorithms() []string {
	var names []string
	for _, s := range all {
		if s.known {
			names = append(names, s.algorithm)
		}
	}
	return names
}

// Check compares the statements with checksums.
func (all Statements) Check(of string, sums map[string]string) []Checked {
	list := []Checked{}
	for _, s := range all {
		c := Checked{s.field, of, s.algorithm, digest.Unchecked, hex.EncodeToString(s.value), ""}
		if s.known {
			c.Computed, c.Outcome = sums[s.algorithm], digest.Match
			if c.Computed != c.Stated {
				c.Outcome = digest.Mismatch
			}
		}
		list = append(list, c)
	}
	return list
}

// Format returns digests as the value of a field of RFC 9530. Those that it has no name for are left out.
func Format(digests map[string]string) string {
	var members []string
	for _, name := range fieldNames {
		if value, err := digest.Base64(name.algorithm, digests[name.algorithm]); err == nil {
			members = append(members, name.field+"=:"+value+":")
		}
	}
	return strings.Join(members, ", ")
}
