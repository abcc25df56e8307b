// Package sample makes the files that tests sum.
package sample

import (
	"crypto/md5"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// Write writes a file in a folder, whose name may have slashes, and makes the folders on its way.
func Write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
}

// MD5 returns the checksum of content, as records have it.
func MD5(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}
