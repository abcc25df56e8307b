//go:build !linux

package main

import (
	"os"
	"testing"
)

// leash does nothing where a pipe has the size that it has.
func leash(*testing.T, *os.File) {}
