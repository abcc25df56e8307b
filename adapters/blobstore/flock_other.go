//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package blobstore

import "os"

// flock does nothing: a folder must not be shared by several processes here.
func flock(*os.File) error { return nil }
