package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
)

// newRoot returns the command bucketsum with all subcommands.
func newRoot(p process) *cobra.Command {
	root := &cobra.Command{
		Use:   "bucketsum",
		Short: "bucketsum writes the checksum of every object beside it.",
		Example: `
  bucketsum local ./inbox        then copy a file into ./inbox`,
		SilenceErrors: true, // exitStatus prints them
		SilenceUsage:  true,

		Args:                       cobra.ArbitraryArgs,
		DisableFlagParsing:         true, // runRoot reads --help and --version
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := flagvalue.SetFromEnvironment(c.Flags(), p.getenv); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(root *cobra.Command, args []string) error { return runRoot(p, root, args) },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { printHelp(p.stdout, c) })
	root.SetHelpCommand(newHelp())
	for _, c := range []*cobra.Command{newLocal(p), newServe(p), newBackfill(p), newVerify(p), newManifest(p), newRedrive(p), newSum(p), newVersion(p)} {
		c.Args = cobra.ArbitraryArgs // each command reports surplus ones together with other mistakes
		c.Flags().SortFlags = false
		c.Flags().BoolP("help", "h", false, "")
		_ = c.Flags().MarkHidden("help") // cannot fail: the flag exists
		completeChoices(c)
		root.AddCommand(c)
	}
	addCompletion(root)
	return root
}

// runRoot runs bucketsum without a command, or with an unknown one.
func runRoot(p process, root *cobra.Command, args []string) error {
	if len(args) == 0 {
		printOverview(p.stderr, root)
		return errUsageShown
	}
	switch args[0] {
	case "--help", "-h":
		printOverview(p.stdout, root)
		return nil
	case "--version":
		return printVersion(p)
	}
	return unknownCommand(root, args[0])
}

// addCompletion adds the command that prints completion scripts for shells.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic(err) // the line above added it
	}
	c.Short = "print the completion script of a shell"
	c.Use = "completion [flags] SHELL"
	c.Long = "Prints a script that lets the shell complete commands, flags and their values."
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		var shells []string
		for _, s := range c.Commands() {
			shells = append(shells, s.Name())
		}
		if len(args) == 0 {
			return usageErrorf("no shell is named; valid are %s", strings.Join(shells, ", "))
		}
		return usageErrorf("unknown shell %q; valid are %s", args[0], strings.Join(shells, ", "))
	}
	for _, s := range c.Commands() {
		s.Short = "print the completion script of " + s.Name()
		s.Args = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("unexpected argument %q", args[0])
			}
			return nil
		}
	}
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "show the help of a command",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				names = commandNames(c.Root())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(args) > 0 && !about.HasParent() {
				return unknownCommand(c.Root(), args[0])
			}
			if len(rest) > 0 {
				return usageErrorf("unexpected argument %q", rest[0])
			}
			return about.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	meant := ""
	if names := root.SuggestionsFor(name); len(names) > 0 {
		meant = "did you mean " + strings.Join(names, " or ") + "? "
	}
	return usageErrorf("unknown command %q; %sthe commands are %s", name, meant, strings.Join(commandNames(root), ", "))
}

func commandNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// completeChoices lets shells complete the values of flags that have few.
func completeChoices(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := f.Value.(flagvalue.Choices); ok {
			if err := c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(v.Choices(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
				panic(fmt.Sprintf("flag %s is defined twice: %v", f.Name, err))
			}
		}
	})
}
