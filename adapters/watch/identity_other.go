//go:build !unix

package watch

import "io/fs"

// identify returns the zero identity: moves are known from reports alone.
func identify(fs.FileInfo) identity { return identity{} }
