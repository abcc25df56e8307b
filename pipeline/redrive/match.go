package redrive

import (
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

// Match selects dead letters. All three must hold; of the values of one, any. Empty ones always hold. Bucket
// and key must be of one event of the message.
type Match struct {
	// Reasons are texts that the reason contains, in any case, or that its group is called. An empty text
	// matches messages without a reason.
	Reasons []string
	Buckets []string
	Keys    []string // globs, as package keyglob has them
}

// letter is what a run knows about a message.
type letter struct {
	reason  string // as the message has it
	kind    string // the name of its group
	objects []pipeline.Object
}

// all reports whether everything matches.
func (m Match) all() bool { return len(m.Reasons)+len(m.Buckets)+len(m.Keys) == 0 }

func (m Match) matches(l letter) bool {
	if len(m.Reasons) > 0 && !slices.ContainsFunc(m.Reasons, l.hasReason) {
		return false
	}
	if len(m.Buckets) == 0 && len(m.Keys) == 0 {
		return true
	}
	return slices.ContainsFunc(l.objects, func(o pipeline.Object) bool {
		return (len(m.Buckets) == 0 || slices.Contains(m.Buckets, o.Bucket)) &&
			(len(m.Keys) == 0 || slices.ContainsFunc(m.Keys, func(glob string) bool { return keyglob.Match(glob, o.Key) }))
	})
}

func (l letter) hasReason(text string) bool {
	if text == "" {
		return l.reason == ""
	}
	return text == l.kind || strings.Contains(strings.ToLower(l.reason), strings.ToLower(text))
}
