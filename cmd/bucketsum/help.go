package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
)

// printOverview prints the help of bucketsum itself.
func printOverview(w io.Writer, root *cobra.Command) {
	fmt.Fprintf(w, "%s\n\nCommands:\n", root.Short)
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(w, "  %-39s %s\n", strings.Replace(c.Use, "[flags] ", "", 1), c.Short)
		}
	}
	fmt.Fprintf(w, `
Try it:%s

Every flag is an environment variable too: --drain-timeout is BUCKETSUM_DRAIN_TIMEOUT.
bucketsum COMMAND --help shows the flags of a command, bucketsum --version the version.
`, root.Example)
}

// printHelp prints the help of a command.
func printHelp(w io.Writer, c *cobra.Command) {
	if !c.HasParent() {
		printOverview(w, c)
		return
	}
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", c.UseLine(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Long))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nCommands:\n")
		for _, sub := range c.Commands() {
			fmt.Fprintf(w, "  %-12s %s\n", sub.Name(), sub.Short)
		}
	}
	if example := firstFlag(c); example != "" {
		fmt.Fprintf(w, "\nFlags (each is an environment variable too, --%s is %s):\n%s",
			example, flagvalue.Variable(example), c.Flags().FlagUsages())
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.Trim(c.Example, "\n"))
	}
}

// firstFlag returns the name of the first flag of a command other than --help, or "".
func firstFlag(c *cobra.Command) string {
	first := ""
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if first == "" && f.Name != "help" {
			first = f.Name
		}
	})
	return first
}
