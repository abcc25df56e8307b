package powercut

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// disk is a folder as the program sees it, and what is certain to survive a power cut.
type disk struct{ root *node }

// node is a file or a directory. Its names are in directories.
type node struct {
	names   map[string]*history[*node] // of a directory; nil for a file
	content history[string]            // of a file
}

// history is a value that is certain to survive, and the later ones; any of these may survive.
type history[V any] struct {
	kept  V
	later []change[V]
}

type change[V any] struct {
	value V
	at    int // line of the trace
}

func (h *history[V]) now() V {
	if n := len(h.later); n > 0 {
		return h.later[n-1].value
	}
	return h.kept
}

func (h *history[V]) set(value V, at int) { h.later = append(h.later, change[V]{value, at}) }

// sync keeps the last value from before a line.
func (h *history[V]) sync(before int) {
	for len(h.later) > 0 && h.later[0].at < before {
		h.kept, h.later = h.later[0].value, h.later[1:]
	}
}

// newDisk returns a disk on which a tree is kept.
func newDisk(t Tree) *disk {
	d := &disk{newDir()}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		n := &node{content: history[string]{kept: t[key].Data}}
		if t[key].Dir {
			n = newDir()
		}
		d.at(path.Dir(key)).names[path.Base(key)] = &history[*node]{kept: n}
	}
	return d
}

func newDir() *node { return &node{names: make(map[string]*history[*node])} }

// at returns what the program finds at a path; nil if there is nothing.
func (d *disk) at(p string) *node {
	n := d.root
	if p == "." {
		return n
	}
	for name := range strings.SplitSeq(p, "/") {
		if n == nil || n.names[name] == nil {
			return nil
		}
		n = n.names[name].now()
	}
	return n
}

// name lets a path lead to a node, or to nothing.
func (d *disk) name(p string, n *node, at int) error {
	dir := d.at(path.Dir(p))
	if dir == nil || dir.names == nil {
		return fmt.Errorf("there is no directory for %s", p)
	}
	h := dir.names[path.Base(p)]
	if h == nil {
		h = &history[*node]{}
		dir.names[path.Base(p)] = h
	}
	h.set(n, at)
	return nil
}

// do applies an operation.
func (d *disk) do(o Op) error {
	n := d.at(o.Path)
	if n == nil && o.Kind != Create && o.Kind != Mkdir && o.Kind != Sync && o.Kind != Print && o.Kind != SyncAll {
		return fmt.Errorf("%s: there is no such file", o)
	}
	switch o.Kind {
	case Create:
		if n == nil {
			return d.name(o.Path, &node{}, o.Line)
		}
	case Mkdir:
		return d.name(o.Path, newDir(), o.Line)
	case Write:
		data := n.content.now()
		if missing := int(o.Offset) - len(data); missing > 0 {
			data += strings.Repeat("\x00", missing)
		}
		end := min(len(data), int(o.Offset)+len(o.Data))
		n.content.set(data[:o.Offset]+o.Data+data[end:], o.Line)
	case Truncate:
		data := n.content.now()
		n.content.set(data[:min(len(data), int(o.Offset))], o.Line)
	case Link:
		return d.name(o.To, n, o.Line)
	case Rename:
		if err := d.name(o.To, n, o.Line); err != nil {
			return err
		}
		return d.name(o.Path, nil, o.Line)
	case Remove:
		return d.name(o.Path, nil, o.Line)
	case Sync:
		if n != nil { // else the file is deleted
			n.sync(o.Begin)
		}
	case SyncAll:
		for _, n := range d.nodes() {
			n.sync(o.Begin)
		}
	}
	return nil
}

// sync keeps what a file or a directory held before a line of the trace.
func (n *node) sync(before int) {
	n.content.sync(before)
	for _, h := range n.names {
		h.sync(before)
	}
}

// nodes returns all nodes that a power cut can leave, in a fixed order.
func (d *disk) nodes() []*node {
	var found []*node
	seen := make(map[*node]bool)
	var visit func(*node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		found = append(found, n)
		for _, name := range slices.Sorted(maps.Keys(n.names)) {
			h := n.names[name]
			visit(h.kept)
			for _, c := range h.later {
				visit(c.value)
			}
		}
	}
	visit(d.root)
	return found
}

// now returns the folder as the program sees it.
func (d *disk) now() Tree {
	return d.tree(func(h *history[*node]) *node { return h.now() }, func(n *node) string { return n.content.now() })
}

// tree returns the folder with a choice for each name and for the content of each file.
func (d *disk) tree(named func(*history[*node]) *node, content func(*node) string) Tree {
	t := make(Tree)
	var add func(prefix string, n *node)
	add = func(prefix string, n *node) {
		for name, h := range n.names {
			switch child := named(h); {
			case child == nil:
			case child.names != nil:
				t[prefix+name] = Entry{Dir: true}
				add(prefix+name+"/", child)
			default:
				t[prefix+name] = Entry{Data: content(child)}
			}
		}
	}
	add("", d.root)
	return t
}
