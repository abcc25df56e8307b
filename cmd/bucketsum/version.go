package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("unexpected argument %q", args[0])
			}
			return printVersion(p)
		},
	}
}

func printVersion(p process) error {
	_, err := fmt.Fprintf(p.stdout, "bucketsum %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// The linker sets these in a release or an image (see deploy/image/build), whose sources
// have no history: a tag such as v1.2.3, and a commit.
var release, commit string

// version returns the release, the module version or, for a build from a working tree,
// its commit.
func version() string {
	if release != "" && commit != "" {
		return release + "+" + short(commit)
	}
	if release != "" {
		return release
	}
	if commit != "" {
		return "devel-" + short(commit)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + short(revision) + dirty
}

// short returns enough of a commit's name to find it.
func short(commit string) string { return commit[:min(12, len(commit))] }
