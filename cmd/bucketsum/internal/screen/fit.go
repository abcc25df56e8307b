package screen

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Cells returns how many cells of a terminal a text takes.
func Cells(s string) int { return runewidth.StringWidth(s) }

// Shorten returns a name in at most so many cells: its middle is left out, as the
// beginning of a path and the end of a name say the most.
func Shorten(name string, cells int) string {
	if runewidth.StringWidth(name) <= cells {
		return name
	}
	if cells < 1 {
		return ""
	}
	head := runewidth.Truncate(name, (cells-1)/2, "")
	over := runewidth.StringWidth(name) - (cells - 1 - runewidth.StringWidth(head))
	return head + runewidth.TruncateLeft(name, over, "…")
}

// Wrap breaks a text at its spaces into lines of at most so many cells. The lines after
// the first one begin with the indent. A longer word gets a line of its own.
func Wrap(text string, cells int, indent string) []string {
	if runewidth.StringWidth(text) <= cells {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	for word := range strings.SplitSeq(text, " ") {
		n := runewidth.StringWidth(word)
		if used > 0 && used+1+n > cells && strings.TrimSpace(line) != "" {
			lines = append(lines, line)
			line, used = indent+word, runewidth.StringWidth(indent)+n
			continue
		}
		if used > 0 || line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}
