package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"
)

const wholeFileSystem = "the whole file system"

// localFolder returns the folder that the arguments of local name. A folder that is
// hardly meant needs a yes. Without a terminal that is the whole file system only: the home of
// a service, or of a container's user, often is the folder with its data.
func localFolder(p process, args []string, yes bool) (string, error) {
	switch {
	case len(args) == 0:
		return "inbox", nil
	case len(args) > 1:
		return "", usageErrorf("unexpected argument %q: local takes one folder", args[1])
	case args[0] == "":
		return "", usageErrorf("DIR is empty, perhaps from a variable that is not set: name a folder, or name none for ./inbox")
	}
	what, err := broad(args[0])
	if what == "" || yes || err != nil {
		return args[0], err
	}
	warning := fmt.Sprintf("%s is %s: a checksum would be written beside every file in it", args[0], what)
	if in, ok := p.stdin.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		if what != wholeFileSystem {
			return args[0], nil
		}
		return "", usageErrorf("%s; add --yes if you mean that", warning)
	}
	fmt.Fprintf(p.stderr, "%s.\nContinue? [y/N] ", warning)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n') // the end of the input is a no
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return "", errors.New("nothing was done")
	}
	return args[0], nil
}

// broad says what a folder holds beside the user's data; empty if it is an ordinary one.
func broad(dir string) (string, error) {
	dir, err := resolved(dir)
	if err != nil {
		return "", err
	}
	if dir == filepath.Dir(dir) {
		return wholeFileSystem, nil
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
