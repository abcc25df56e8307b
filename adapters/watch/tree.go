package watch

import (
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// stamp is what tells one content of a file from another.
type stamp = filebucket.Version

var (
	// reported marks a file that cannot be an object, of which that was said.
	reported = stamp{Size: -1}
	// unannounced marks a file that was there at the start and has not
	// settled since. It may have a record, so that its end must be told.
	unannounced = stamp{Size: -2}
)

// node is one folder: what was last announced of its files, and the folders in
// it. Every folder that may be watched has one. Names are kept without
// their paths, as there may be very many.
type node struct {
	parent  *node // nil: the root
	name    string
	files   map[string]stamp
	folders map[string]*node
	id      identity // when it was last entered
	gone    bool     // kept only until its files are announced as deleted
	inner   bool     // it is a bucket of its own, and nothing in it is looked at
}

// identity tells a folder from all others, whatever its path; zero if the
// system has no such thing.
type identity struct{ device, inode uint64 }

// within reports whether the node is m or below it.
func (n *node) within(m *node) bool {
	for n != nil && n != m {
		n = n.parent
	}
	return n != nil
}

// key returns the path from the root, which is itself the empty key.
func (n *node) key() string {
	if n.parent == nil {
		return ""
	}
	return join(n.parent.key(), n.name)
}

// folder returns the node of a folder; nil if there is none.
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

// add returns the node of a folder that is there, a new one if need be.
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

// file returns what was last announced of a file.
func (n *node) file(key string) (stamp, bool) {
	dir, name := split(key)
	s, ok := stamp{}, false
	if n = n.folder(dir); n != nil {
		s, ok = n.files[name]
	}
	return s, ok
}

// set keeps what was announced of a file.
func (n *node) set(key string, s stamp) {
	dir, name := split(key)
	n = n.add(dir)
	if n.files == nil {
		n.files = make(map[string]stamp)
	}
	n.files[name] = s
}

// unset forgets a file, and with the last one the folders that are gone.
func (n *node) unset(key string) {
	dir, name := split(key)
	if n = n.folder(dir); n != nil {
		delete(n.files, name)
		n.prune()
	}
}

// prune takes out the node and those above it that are gone and hold nothing.
func (n *node) prune() {
	for n.gone && n.parent != nil && len(n.files) == 0 && len(n.folders) == 0 {
		delete(n.parent.folders, n.name)
		n = n.parent
	}
}

// split returns the key of the folder that a key is in, and its last name.
func split(key string) (dir, name string) {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

// join returns the key of a name in a folder. Unlike path.Join it leaves the
// name as it is.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
