package filebucket

import (
	"bytes"
	"io/fs"
	"slices"
)

// namesLimit is how many bytes the names of one folder may take, so that memory does not grow with the number of its
// files. 16 MiB are about 400,000 names.
const namesLimit = 16 << 20

// nameBytes is how many bytes a name takes besides its text.
const nameBytes = 12

// names holds the lowest names of a folder, as many as it may. Those of folders end with a slash.
type names struct {
	limit int
	text  []byte
	all   []name
	above string // the highest name, if others were left out; empty: none were
}

type name struct {
	start  uint32
	length uint16
	kind   fs.FileMode
}

func (n *names) of(i name) []byte { return n.text[i.start : i.start+uint32(i.length)] }

// mayAdd reports whether a name is lower than those that were left out.
func (n *names) mayAdd(text string) bool { return n.above == "" || text <= n.above }

func (n *names) add(text string, kind fs.FileMode) {
	n.all = append(n.all, name{uint32(len(n.text)), uint16(len(text)), kind})
	n.text = append(n.text, text...)
	if len(n.text)+len(n.all)*nameBytes > n.limit && len(n.all) > 1 {
		n.halve()
	}
}

// halve leaves out the higher half of the names.
func (n *names) halve() {
	n.sort()
	n.all = n.all[:len(n.all)/2]
	n.above = string(n.of(n.all[len(n.all)-1]))
	text := make([]byte, 0, cap(n.text))
	for i, one := range n.all {
		n.all[i].start = uint32(len(text))
		text = append(text, n.of(one)...)
	}
	n.text = text
}

func (n *names) sort() {
	slices.SortFunc(n.all, func(a, b name) int { return bytes.Compare(n.of(a), n.of(b)) })
}
