package blobstore

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// A checksum file in the place of a record, without a sign that bucketsum wrote it, may be a user's own,
// or a record that has lost its metadata on a way through other tools. Its content decides: if it holds nothing but
// the right checksum, it is adopted and is a record from then on. If it holds another checksum, that is a claim which
// the content contradicts.

// metaAdopted in the metadata of a record says that bucketsum found its text and did not write it.
const metaAdopted = "adopted"

// stated returns the checksums of the algorithm that a file states for an object, in any form that the usual tools
// write, or without a name. They stand alone if there is one, and nothing else in the file.
func stated(text, key, alg string) (values []string, alone bool) {
	base, rest := path.Base(key), false
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.ToLower(strings.TrimSpace(line))
		parsed, err := digest.ParseLine(line)
		switch {
		case bare == "":
		case digest.Valid(alg, bare):
			values = append(values, bare)
		case err == nil && (parsed.Algorithm == "" || parsed.Algorithm == alg) && digest.Valid(alg, parsed.Value) && names(parsed.Name, base):
			values = append(values, parsed.Value)
		default:
			rest = true
		}
	}
	return values, len(values) == 1 && !rest
}

// names reports whether a line names an object, perhaps with the object's folders, or with spaces around the name.
func names(name, base string) bool {
	return path.Base(name) == base || path.Base(strings.TrimSpace(name)) == base
}

// isStray reports whether bucketsum wrote the file, and all of its metadata is lost, as when a folder was restored without
// the notes of its records.
func (s *sidecar) isStray() bool { return s.blob != nil && s.blob.Detached && s.blob.Metadata == nil }

// userFile tells what a file states that is in the place of a record, and is none.
func (s *sidecar) userFile(o pipeline.Object, key, alg string) pipeline.UserFile {
	values, alone := stated(s.line, o.Key, alg)
	return pipeline.UserFile{Key: key, Algorithm: alg, Values: values, Adoptable: alone, Stray: s.isStray()}
}

// compare decides about a file that bucketsum did not write, and that is in the place of a record. It reports whether
// the file is to be adopted.
func (s *sidecar) compare(fresh *sidecar, key, alg, value string) (bool, error) {
	values, alone := stated(s.line, fresh.source, alg)
	switch wrong := slices.IndexFunc(values, func(v string) bool { return v != value }); {
	case len(values) == 0:
		return false, pipeline.Permanent(fmt.Errorf(
			"bucketsum did not write %q, which states no %s of the object, and leaves it alone: move it away, or choose other names with --record", key, alg))
	case wrong >= 0:
		return false, pipeline.Permanent(&pipeline.ContradictionError{Check: pipeline.Check{
			Name: key, Algorithm: alg, Verdict: digest.Verdict{Outcome: digest.Mismatch, Claimed: values[wrong], Computed: value},
		}})
	}
	fresh.metadata[metaAdopted] = "true"
	return alone, nil // what else is in the file is the user's
}

// keepText makes a new sidecar keep the text of the one that it replaces, if that is right. A record of bucketsum gets
// its own text where the same text could not be told apart, see write.
func (s *sidecar) keepText(old *sidecar, alg, value string, sameTag bool) {
	if values, alone := stated(old.line, s.source, alg); alone && values[0] == value && !(sameTag && old.ours()) {
		s.line = old.line
	}
	if adopted := old.metadata[metaAdopted]; adopted != "" && s.line == old.line {
		s.metadata[metaAdopted] = adopted
	}
}

// modes returns the permissions of a bucket's objects. The zero value knows none.
type modes func(key string) fs.FileMode

func (m modes) of(key string) fs.FileMode {
	if m == nil {
		return 0
	}
	return m(key)
}
