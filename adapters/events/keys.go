package events

import (
	"net/url"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
)

// readingsOf returns the key that an event of S3's forms spells, and its other reading: form-decoded and
// as it stands, or the other way round. encoded says that the form documents the first. A spelling that no
// key can be is no reading, so that a key that does not decode is read as it stands. other is empty if there
// is one reading only.
func readingsOf(spelled string, encoded bool) (key, other string) {
	decoded, err := url.QueryUnescape(spelled)
	switch {
	case err != nil, decoded == spelled, !isKey(decoded):
		return spelled, ""
	case !isKey(spelled):
		return decoded, ""
	case encoded:
		return decoded, spelled
	}
	return spelled, decoded
}

func isKey(s string) bool { return s != "" && len(s) <= pipeline.MaxKey && utf8.ValidString(s) }
