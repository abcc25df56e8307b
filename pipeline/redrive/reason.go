package redrive

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// The names of groups without a reason of their own.
const (
	NoReason = "(no reason: the queue gave it up by itself, or another program sent it)"
	Others   = "(other reasons)"
	Moved    = "(moved by the service itself, whatever their reason)"
)

const (
	maxReason = 4000 // bytes of a reason that are looked at for its group: any sender may have written it
	maxKind   = 200  // bytes of the name of a group
	maxNamed  = 10   // objects whose names are looked for
	// leastKey is how long a key must be that is replaced wherever it stands: shorter ones are words.
	leastKey = 4
)

// The parts of reasons that vary: what is quoted, digests and identifiers, numbers.
var (
	quoted     = regexp.MustCompile(`"(?:\\.|[^"\\])*"`)
	identifier = regexp.MustCompile(`\b[0-9A-Za-z][0-9A-Za-z_+/=-]{14,}|\b[0-9a-f-]{8,}\b`)
	number     = regexp.MustCompile(`\b\d+(?:\.\d+)?`)
)

// kindOf returns the reason without what varies from message to message, so that few groups remain.
func kindOf(reason string, objects []pipeline.Object) string {
	if reason == "" {
		return NoReason
	}
	reason = readable.Cut(reason, maxReason)
	for _, o := range objects[:min(len(objects), maxNamed)] {
		if o.Key == "" {
			continue
		}
		reason = strings.ReplaceAll(reason, o.String(), o.Bucket+"/…")
		reason = strings.ReplaceAll(reason, strconv.Quote(o.Key), "…")
		if len(o.Key) >= leastKey {
			reason = strings.ReplaceAll(reason, o.Key, "…")
		}
	}
	reason = quoted.ReplaceAllString(reason, "…")
	reason = identifier.ReplaceAllStringFunc(reason, func(word string) string {
		if strings.ContainsAny(word, "0123456789") {
			return "…"
		}
		return word
	})
	reason = number.ReplaceAllString(reason, "N")
	return readable.Cut(strings.TrimSpace(readable.Text(reason)), maxKind)
}
