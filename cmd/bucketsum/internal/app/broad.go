package app

import (
	"os"
	"path/filepath"
)

// WholeFileSystem is what Broad says about a root folder.
const WholeFileSystem = "the whole file system"

// Broad says what a folder holds beside the user's data; empty if it is an ordinary one.
func Broad(dir string) (string, error) {
	dir, err := resolved(dir)
	if err != nil {
		return "", err
	}
	if dir == filepath.Dir(dir) {
		return WholeFileSystem, nil
	}
	home, err := os.UserHomeDir()
	if err == nil {
		home, err = resolved(home)
	}
	if err != nil {
		return "", nil // there is no home
	}
	switch rest, err := filepath.Rel(dir, home); {
	case err != nil || !filepath.IsLocal(rest):
		return "", nil
	case rest == ".":
		return "your home folder", nil
	}
	return "a folder that your home folder is in", nil
}

// resolved returns the absolute path of a folder, without symbolic links if it exists.
func resolved(dir string) (string, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(full); err == nil {
		return real, nil
	}
	return full, nil
}
