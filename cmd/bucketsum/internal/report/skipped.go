package report

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// mostSkipped is how many names of each kind are kept at most.
const mostSkipped = 10_000

// Skip is why something in the folder gets no checksum though nothing failed.
type Skip int

// The reasons.
const (
	SkipLink     Skip = iota // a symbolic link that leads to no file in the folder
	SkipSpecial              // a pipe, a socket or a device
	SkipVersions             // a folder of version control
	SkipLone                 // a file named like a record, of no file
	SkipExcluded             // by --include or --exclude
	SkipInner                // a folder that is a bucket of its own
)

// skipWords are what a skip is called, for one and for several.
var skipWords = map[Skip][2]string{
	SkipLink:     {"symbolic link that leads to no file in the folder", "symbolic links that lead to no file in the folder"},
	SkipSpecial:  {"pipe, socket or device", "pipes, sockets or devices"},
	SkipVersions: {"folder of version control", "folders of version control"},
	SkipLone:     {"file named like a record, without its file", "files named like records, without their files"},
	SkipExcluded: {"file that --include or --exclude leaves out", "files that --include or --exclude leave out"},
	SkipInner:    {"folder that is a bucket of its own", "folders that are buckets of their own"},
}

// Skipped knows what was skipped. Safe for concurrent use.
type Skipped struct {
	Dir      string
	RecordOf func(key string) (object string, ok bool)

	mu   sync.Mutex
	keys map[Skip]map[string]bool
}

// Add notes what was skipped. A key that is added again counts once.
func (s *Skipped) Add(key string, why Skip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[Skip]map[string]bool)
	}
	if s.keys[why] == nil {
		s.keys[why] = make(map[string]bool)
	}
	if len(s.keys[why]) < mostSkipped {
		s.keys[why][key] = true
	}
}

// lines returns a line for each kind of what is still there and still skipped.
func (s *Skipped) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, why := range slices.Sorted(maps.Keys(s.keys)) {
		n, first, most := int64(0), "", ""
		for key := range s.keys[why] {
			if !s.is(key, why) {
				continue
			}
			if n++; first == "" || key < first {
				first = key
			}
		}
		if len(s.keys[why]) == mostSkipped {
			most = "at least "
		}
		switch {
		case n == 1:
			lines = append(lines, fmt.Sprintf("skipped: 1 %s: %s", skipWords[why][0], readable.Name(first)))
		case n > 1:
			lines = append(lines, fmt.Sprintf("skipped: %s%s %s, such as %s", most, Thousands(n), skipWords[why][1], readable.Name(first)))
		}
	}
	return lines
}

// is reports whether a key is still there and skipped for this reason.
func (s *Skipped) is(key string, why Skip) bool {
	path := filepath.Join(s.Dir, filepath.FromSlash(key))
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	switch why {
	case SkipLink:
		target, err := os.Stat(path)
		return info.Mode()&os.ModeSymlink != 0 && (err != nil || !target.Mode().IsRegular() || !s.inside(path))
	case SkipSpecial:
		return !info.Mode().IsRegular() && !info.IsDir()
	case SkipLone:
		object, ok := s.RecordOf(key)
		if !ok {
			return false
		}
		info, err := os.Stat(filepath.Join(s.Dir, filepath.FromSlash(object)))
		return err != nil || !info.Mode().IsRegular()
	}
	return true
}

// inside reports whether a link leads to something in the folder.
func (s *Skipped) inside(path string) bool {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(s.Dir, target)
	return err == nil && filepath.IsLocal(rel)
}
