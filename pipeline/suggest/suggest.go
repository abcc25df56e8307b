// Package suggest finds the words that a misspelt one may mean.
package suggest

import (
	"fmt"
	"strings"
)

// most is how many words a question names, at most.
const most = 3

// Unknown returns the error about an unknown word: what it should be, which valid word it may mean, and all that are valid.
func Unknown(what, word string, valid []string) error {
	meant, are := Or(word, valid), "; valid are"
	if meant != "" {
		are = " Valid are"
	}
	return fmt.Errorf("unknown %s %q%s%s %s", what, word, meant, are, strings.Join(valid, ", "))
}

// Or returns the question for a message about an unknown word, as "; did you mean md5?", or nothing if no valid word is
// like it.
func Or(word string, valid []string) string {
	if similar := Similar(word, valid); len(similar) > 0 {
		return "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return ""
}

// Similar returns the valid words that are most like a word. Case and separators do not count: SHA-256 is sha256. Else
// they are those that begin with it, or with which it begins.
func Similar(word string, valid []string) []string {
	given := plain(word)
	least, nearest := len(given), []string(nil)
	for _, v := range valid {
		meant := plain(v)
		edits := distance(given, meant)
		switch {
		case edits > 1+len(meant)/6 || edits > least || edits >= len(given):
		case edits < least:
			least, nearest = edits, []string{v}
		default:
			nearest = append(nearest, v)
		}
	}
	if len(nearest) == 0 && len(given) > 1 {
		for _, v := range valid {
			if meant := plain(v); len(meant) > 1 && (strings.HasPrefix(meant, given) || strings.HasPrefix(given, meant)) {
				nearest = append(nearest, v)
			}
		}
	}
	return nearest[:min(len(nearest), most)]
}

// plain returns a word without case, and without what separates its parts.
func plain(word string) string {
	return strings.NewReplacer("-", "", "_", "", "/", "", " ", "").Replace(strings.ToLower(word))
}

// distance returns how many bytes must be inserted, deleted, replaced or swapped with their neighbour to make one word of
// another.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			edits := 1
			if a[i] == b[j] {
				edits = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+edits)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
