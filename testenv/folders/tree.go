package folders

import (
	"path"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// kind is what users have at a path.
type kind int

const (
	absent kind = iota
	file
	folder
	fifo
	link // symbolic
)

// entry is what users have at a path. Its data is immutable.
type entry struct {
	kind   kind
	data   string // of a file
	target string // of a link
}

// tree is what users have in the folder, by path with slashes. The files of the worker are not in it.
type tree map[string]entry

// parent makes the folders on the way to a path. It returns false if something else is in the way.
func (t tree) parent(name string) bool {
	dir := path.Dir(name)
	if dir == "." {
		return true
	}
	switch t[dir].kind {
	case folder:
		return true
	case absent:
		if t.parent(dir) {
			t[dir] = entry{kind: folder}
			return true
		}
	}
	return false
}

// below returns the paths of a path and of everything in it.
func (t tree) below(name string) []string {
	var found []string
	for p := range t {
		if p == name || strings.HasPrefix(p, name+"/") {
			found = append(found, p)
		}
	}
	return found
}

// remove removes a path with everything in it and returns what was there, by paths that begin with to instead.
func (t tree) remove(name, to string) tree {
	gone := t.copied(name, to)
	for _, p := range t.below(name) {
		delete(t, p)
	}
	return gone
}

// copied returns what is at a path, by paths that begin with to instead.
func (t tree) copied(name, to string) tree {
	found := make(tree)
	for _, p := range t.below(name) {
		found[to+strings.TrimPrefix(p, name)] = t[p]
	}
	return found
}

// content returns the content of the object at a path. A link that leads to a file in the folder is an object, too.
func (t tree) content(name string) (string, bool) {
	for range 40 { // as many links as Linux follows
		e := t[name]
		if e.kind != link {
			return e.data, e.kind == file
		}
		if path.IsAbs(e.target) {
			return "", false
		}
		name = path.Join(path.Dir(name), e.target)
	}
	return "", false
}

// recordOf returns the path of a record in the default layout.
func recordOf(name string) string { return name + ".md5" }

// objectOf is the inverse of recordOf for all algorithms; empty if the path cannot be that of a record.
func objectOf(name string) string {
	for _, algorithm := range digest.Names() {
		if object, ok := strings.CutSuffix(name, "."+algorithm); ok {
			return object
		}
	}
	return ""
}
