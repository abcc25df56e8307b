package redrive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

// Match selects dead letters. All four must hold; of the values of one, any. Empty ones always hold. Bucket,
// key and object must be of one event of the message.
type Match struct {
	// Reasons are texts that the reason contains, in any case, or that its group is called. An empty text
	// matches messages without a reason.
	Reasons []string
	Buckets []string
	Keys    []string // globs, as package keyglob has them
	Objects []string // BUCKET/KEY, exactly
}

// ParseMatch returns the Match of texts such as reason=TEXT, bucket=NAME, key=GLOB and object=BUCKET/KEY.
func ParseMatch(texts []string) (Match, error) {
	var m Match
	var faults []error
	for _, text := range texts {
		kind, value, ok := strings.Cut(text, "=")
		bucket, key, _ := strings.Cut(value, "/")
		switch {
		case ok && kind == "reason":
			m.Reasons = append(m.Reasons, value)
		case ok && kind == "bucket" && value != "":
			m.Buckets = append(m.Buckets, value)
		case ok && kind == "key" && keyglob.Valid(value):
			m.Keys = append(m.Keys, value)
		case ok && kind == "object" && bucket != "" && key != "":
			m.Objects = append(m.Objects, value)
		default:
			faults = append(faults, fmt.Errorf("%q is not reason=TEXT, bucket=NAME, key=GLOB or object=BUCKET/KEY", text))
		}
	}
	return m, errors.Join(faults...)
}

// Selects reports whether a dead letter with this reason about these objects matches.
func (m Match) Selects(reason string, objects ...pipeline.Object) bool {
	return m.matches(letter{reason: reason, kind: kindOf(reason, objects), objects: objects})
}

// letter is what a run knows about a message.
type letter struct {
	reason  string // as the message has it
	kind    string // the name of its group
	objects []pipeline.Object
}

// all reports whether everything matches.
func (m Match) all() bool { return len(m.Reasons)+len(m.Buckets)+len(m.Keys)+len(m.Objects) == 0 }

func (m Match) matches(l letter) bool {
	if len(m.Reasons) > 0 && !slices.ContainsFunc(m.Reasons, l.hasReason) {
		return false
	}
	if len(m.Buckets)+len(m.Keys)+len(m.Objects) == 0 {
		return true
	}
	return slices.ContainsFunc(l.objects, func(o pipeline.Object) bool {
		return (len(m.Buckets) == 0 || slices.Contains(m.Buckets, o.Bucket)) &&
			(len(m.Objects) == 0 || slices.Contains(m.Objects, o.Bucket+"/"+o.Key)) &&
			(len(m.Keys) == 0 || slices.ContainsFunc(m.Keys, func(glob string) bool { return keyglob.Match(glob, o.Key) }))
	})
}

func (l letter) hasReason(text string) bool {
	if text == "" {
		return l.reason == ""
	}
	if text == l.kind {
		return true
	}
	if text = plain(text); len(text) > maxKind { // no name of a group, which may end like this, too
		text = strings.TrimSuffix(text, "…")
	}
	return strings.TrimSpace(text) != "" && strings.Contains(plain(l.reason), text)
}

// plain returns a reason as it is compared: the one in a message and the one that a page shows differ in what cannot be
// printed.
func plain(reason string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return unicode.ToLower(r)
	}, reason)
}
