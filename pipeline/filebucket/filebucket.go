// Package filebucket holds what all must agree on that have to do with a bucket
// which is a folder of files: those that announce its files and those that read
// them.
package filebucket

import (
	"io/fs"
	"strconv"
	"strings"
)

// Hidden is the name of the folder that holds what the pipeline must remember
// and the user need not see. Nothing below a folder of that name is an object, at
// whatever depth: one bucket may lie in another.
const Hidden = ".bucketsum"

// Notes is the folder in Hidden that makes a bucket of the folder that Hidden is
// in: the notes of its records lie there.
const Notes = "records"

// IsHidden reports whether the key is below a folder named Hidden, or that of
// the folder itself.
func IsHidden(key string) bool {
	for strings.Contains(key, Hidden) { // hardly ever
		var name string
		name, key, _ = strings.Cut(key, "/")
		if name == Hidden {
			return true
		}
	}
	return false
}

// Version tells one content of a file from another. The time of modification
// and the size are not enough: they are restored by whoever unpacks an archive,
// copies with cp -p or builds with SOURCE_DATE_EPOCH. The time of change is set by
// the system alone. It is also set by what leaves the content as it is (chmod,
// chown, another hard link, a rename), which costs one more read.
type Version struct {
	Modified int64 // nanoseconds since 1970
	Changed  int64 // nanoseconds since 1970; 0 where the system does not tell
	Size     int64 // bytes
}

// VersionOf returns the version of a file.
func VersionOf(info fs.FileInfo) Version {
	return Version{Modified: info.ModTime().UnixNano(), Changed: changed(info), Size: info.Size()}
}

// ETag returns the version as events and records name it.
func (v Version) ETag() string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, v.Modified, 16)
	b = strconv.AppendInt(append(b, '-'), v.Size, 16)
	if v.Changed != 0 {
		b = strconv.AppendInt(append(b, '-'), v.Changed, 16)
	}
	return string(b)
}
