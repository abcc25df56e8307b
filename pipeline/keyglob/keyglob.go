// Package keyglob selects keys of objects by globs, in the same way for events and for passes over existing
// objects.
package keyglob

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Valid reports whether a text is a glob.
func Valid(glob string) bool { return doublestar.ValidatePattern(glob) }

// Match reports whether a valid glob matches a key. Without a slash it is the name of an object or of a folder,
// at any depth, as in a .gitignore file; with a slash it is the whole key.
func Match(glob, key string) bool {
	if strings.Contains(glob, "/") {
		return doublestar.MatchUnvalidated(glob, key)
	}
	for name := range strings.SplitSeq(key, "/") {
		if doublestar.MatchUnvalidated(glob, name) {
			return true
		}
	}
	return false
}

// Selects reports whether a key is selected: one of the globs to include matches it, or there are none, and
// none of those to exclude does.
func Selects(include, exclude []string, key string) bool {
	matches := func(glob string) bool { return Match(glob, key) }
	return !slices.ContainsFunc(exclude, matches) && (len(include) == 0 || slices.ContainsFunc(include, matches))
}
