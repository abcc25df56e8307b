// Package filebucket defines what a folder of files is as a bucket: which paths are
// hidden, how to walk the files, and what the version of a file is. The packages that
// watch, list and read such a folder must agree on this.
package filebucket

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Hidden is the name of the folder for the pipeline's own files, which the user need
// not see. Nothing in a folder of that name is an object, at any depth: one bucket
// may lie in another.
const Hidden = ".bucketsum"

// Notes is the name of the folder in Hidden with the notes of the records. A folder
// that has it is a bucket of its own.
const Notes = "records"

// IsHidden reports whether the key is that of a folder named Hidden, or of something
// in it.
func IsHidden(key string) bool {
	for strings.Contains(key, Hidden) { // rarely true
		var name string
		name, key, _ = strings.Cut(key, "/")
		if name == Hidden {
			return true
		}
	}
	return false
}

// versionControl are the names of the folders, or files, in which systems of version
// control keep their data. A foreign file there can damage a repository: to git,
// .git/refs/heads/main.md5 is a broken branch. CVS is not among them: folders of users
// have this name, too.
var versionControl = []string{".git", ".hg", ".svn", ".bzr", ".jj", "_darcs"}

// VersionControl returns the name in the key that belongs to a system of version control;
// empty if none does.
func VersionControl(key string) string {
	for name := range strings.SplitSeq(key, "/") {
		if slices.Contains(versionControl, name) {
			return name
		}
	}
	return ""
}

// Version distinguishes one content of a file from another. Modification time and
// size are not enough: unpacking an archive, cp -p and builds with SOURCE_DATE_EPOCH
// restore them. The time of change (ctime) is set by the system alone. It also changes
// when the content does not (chmod, chown, a new hard link, a rename), which costs a
// read of the file.
type Version struct {
	Modified int64 // nanoseconds since 1970
	Changed  int64 // nanoseconds since 1970; 0 where the system does not provide it
	Size     int64 // bytes
}

// VersionOf returns the version of a file.
func VersionOf(info fs.FileInfo) Version {
	return Version{Modified: info.ModTime().UnixNano(), Changed: changed(info), Size: info.Size()}
}

// ETag returns the version in the form of events and records: hexadecimal numbers
// joined by hyphens.
func (v Version) ETag() string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, v.Modified, 16)
	b = strconv.AppendInt(append(b, '-'), v.Size, 16)
	if v.Changed != 0 {
		b = strconv.AppendInt(append(b, '-'), v.Changed, 16)
	}
	return string(b)
}

// ParseETag is the inverse of [Version.ETag].
func ParseETag(etag string) (v Version, ok bool) {
	fields := strings.SplitN(strings.TrimPrefix(etag, "-"), "-", 3)
	for i, field := range []*int64{&v.Modified, &v.Size, &v.Changed} {
		if i == len(fields) {
			break
		}
		var err error
		if *field, err = strconv.ParseInt(fields[i], 16, 64); err != nil {
			return Version{}, false
		}
	}
	if strings.HasPrefix(etag, "-") { // before 1970
		v.Modified = -v.Modified
	}
	return v, v.ETag() == etag
}

// Unmodified reports whether two ETags are of the same modification time and size. The content may still be another
// one, if it was damaged, or was changed by a program that put the time back.
func Unmodified(a, b string) bool {
	v, ok := ParseETag(a)
	w, ok2 := ParseETag(b)
	return ok && ok2 && v.Modified == w.Modified && v.Size == w.Size
}
