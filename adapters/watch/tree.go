package watch

import (
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

var (
	// unaddressable marks a file that cannot be an object and was reported.
	unaddressable = filebucket.Version{Size: -1}
	// unannounced marks a file that existed at the start and has not settled
	// yet. It may have a record, so that its deletion must be announced.
	unannounced = filebucket.Version{Size: -2}
)

// node is one folder: the version of each of its files that was announced last,
// and the folders in it. Every folder that may be watched has one. A node holds
// names without their paths, as there may be very many.
type node struct {
	parent  *node // nil: the root
	name    string
	files   map[string]filebucket.Version
	folders map[string]*node
	id      identity // when it was last scanned
	gone    bool     // kept only until its files are announced as deleted
	inner   bool     // it is a bucket of its own, and is not watched
	scanned bool     // at least once
}

// identity tells a folder from all others, whatever its path. It is zero if the
// system has none.
type identity struct{ device, inode uint64 }

// within reports whether the node is m or below it.
func (n *node) within(m *node) bool {
	for n != nil && n != m {
		n = n.parent
	}
	return n != nil
}

// key returns the path from the root, whose own key is empty.
func (n *node) key() string {
	if n.parent == nil {
		return ""
	}
	return join(n.parent.key(), n.name)
}

// folder returns the node of a folder; nil if it has none.
func (n *node) folder(key string) *node {
	for key != "" && n != nil {
		var name string
		name, key, _ = strings.Cut(key, "/")
		n = n.folders[name]
	}
	return n
}

// isInner reports whether a key is in a folder that is a bucket of its own.
func (n *node) isInner(key string) bool {
	for n != nil && !n.inner {
		name, rest, ok := strings.Cut(key, "/")
		if !ok {
			return false
		}
		n, key = n.folders[name], rest
	}
	return n != nil
}

// add returns the node of a folder that exists, and makes it if needed.
func (n *node) add(key string) *node {
	for key != "" {
		var name string
		name, key, _ = strings.Cut(key, "/")
		child := n.folders[name]
		if child == nil {
			child = &node{parent: n, name: name}
			if n.folders == nil {
				n.folders = make(map[string]*node)
			}
			n.folders[name] = child
		}
		child.gone = false
		n = child
	}
	return n
}

// file returns the version of a file that was announced last.
func (n *node) file(key string) (v filebucket.Version, ok bool) {
	dir, name := split(key)
	if n = n.folder(dir); n != nil {
		v, ok = n.files[name]
	}
	return v, ok
}

// set notes the version of a file that is announced.
func (n *node) set(key string, v filebucket.Version) {
	dir, name := split(key)
	n = n.add(dir)
	if n.files == nil {
		n.files = make(map[string]filebucket.Version)
	}
	n.files[name] = v
}

// unset forgets a file. With the last file of a folder that is gone, the folder
// goes too.
func (n *node) unset(key string) {
	dir, name := split(key)
	if n = n.folder(dir); n != nil {
		delete(n.files, name)
		n.prune()
	}
}

// prune takes out the node, and those above it, if they are gone and empty.
func (n *node) prune() {
	for n.gone && n.parent != nil && len(n.files) == 0 && len(n.folders) == 0 {
		delete(n.parent.folders, n.name)
		n = n.parent
	}
}

// split returns the key of the folder that a key is in, and the name there.
func split(key string) (dir, name string) {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

// join returns the key of a name in a folder. Unlike path.Join it does not change
// the name.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
