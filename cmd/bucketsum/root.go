package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
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
		PersistentPreRunE:          func(c *cobra.Command, _ []string) error { return prepare(p, c) },
		RunE:                       func(root *cobra.Command, args []string) error { return runRoot(p, root, args) },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { printHelp(p.stdout, c) })
	root.SetHelpCommand(newHelp())
	root.PersistentFlags().BoolP("version", "v", false, "print the version")
	_ = root.PersistentFlags().MarkHidden("version") // cannot fail: the flag exists
	for _, c := range []*cobra.Command{newLocal(p), newServe(p), newBackfill(p), newVerify(p), newManifest(p), newRedrive(p), newSum(p), newVersion(p)} {
		c.Args = cobra.ArbitraryArgs // each command reports surplus ones together with other mistakes
		c.Flags().SortFlags = false
		c.Flags().BoolP("help", "h", false, "")
		_ = c.Flags().MarkHidden("help") // cannot fail: the flag exists
		completeValues(c)
		root.AddCommand(c)
	}
	addCompletion(root)
	for name, others := range otherNames {
		if c, _, err := root.Find([]string{name}); err == nil {
			c.SuggestFor = others
		}
	}
	return root
}

// otherNames are what other programs call the work of the commands.
var otherNames = map[string][]string{
	"local":    {"watch", "demo", "init"},
	"serve":    {"worker", "run", "start", "server", "daemon"},
	"backfill": {"scan", "sync", "batch"},
	"verify":   {"check", "audit", "fixity", "validate", "scrub"},
	"manifest": {"export", "list", "ls", "bagit"},
	"redrive":  {"retry", "replay", "dlq"},
	"sum":      {"md5sum", "sha1sum", "sha256sum", "sha512sum", "b3sum", "hash", "checksum", "md5", "sha256"},
}

// prepare completes the flags of a command before it runs.
func prepare(p process, c *cobra.Command) error {
	if shows, _ := c.Flags().GetBool("version"); shows {
		return cmp.Or(printVersion(p), errVersionShown)
	}
	if err := flagvalue.SetFromEnvironment(c.Flags(), p.getenv); err != nil {
		return usageError{err}
	}
	if strings.HasPrefix(c.Name(), "__") {
		return nil // a shell asks for completions
	}
	warn := func(text string) { fmt.Fprintf(p.stderr, "%s: warning: %s\n", c.CommandPath(), text) }
	if f := c.Flags().Lookup("log-format"); f != nil && f.Value.String() == "json" {
		warn = func(text string) { slog.New(slog.NewJSONHandler(p.stderr, nil)).Warn(text) }
	}
	for _, text := range flagvalue.UnknownVariables(p.environ, flagNames(c.Root())) {
		warn(text)
	}
	return nil
}

// flagNames returns the names of the flags of all commands.
func flagNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		})
	}
	return names
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
	case "--version", "-v":
		return printVersion(p)
	}
	if strings.HasPrefix(args[0], "-") {
		return usageErrorf("the command comes first, then its flags: bucketsum COMMAND %s", args[0])
	}
	if info, err := os.Stat(args[0]); err == nil {
		use := "local"
		if !info.IsDir() {
			use = "sum"
		}
		return usageErrorf("%q is no command; did you mean bucketsum %s %s?", args[0], use, quote(args[0]))
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
		return usageError{suggest.Unknown("shell", args[0], shells)}
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
	if names := root.SuggestionsFor(name); len(names) > 0 {
		return usageErrorf("unknown command %q; did you mean %s?", name, strings.Join(names, " or "))
	}
	return usageErrorf("unknown command %q; the commands are %s", name, strings.Join(commandNames(root), ", "))
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

// completeValues lets shells complete the values of flags, and arguments that are buckets.
func completeValues(c *cobra.Command) {
	algorithms := digest.Names()
	if c.Name() == "sum" {
		algorithms = digest.Computable()
	}
	lists := map[string][]string{"algorithms": algorithms, "record-to": {blobstore.ToSidecar, blobstore.ToTags}}
	begins := map[string][]string{"match": {"reason=", "bucket=", "key=", "object="}}
	for _, flag := range []string{"queue", "dead-letter", "results", "shards-to", "redrive-from", "redrive-to", "from", "to"} {
		begins[flag] = beginnings(queueSchemes())
	}
	for _, flag := range []string{"bucket", "record-bucket", "reports"} {
		begins[flag] = beginnings(bucketSchemes())
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		var complete cobra.CompletionFunc
		choices, few := f.Value.(flagvalue.Choices)
		switch kind := f.Value.Type(); {
		case few:
			complete = cobra.FixedCompletions(choices.Choices(), cobra.ShellCompDirectiveNoFileComp)
		case lists[f.Name] != nil:
			complete = completeList(lists[f.Name])
		case begins[f.Name] != nil:
			complete = completeBeginning(begins[f.Name])
		case !strings.HasPrefix(kind, "string"):
			complete = cobra.NoFileCompletions
		default:
			return // it may be a file
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
			panic(fmt.Sprintf("flag %s is defined twice: %v", f.Name, err))
		}
	})
	if strings.Contains(c.Use, bucketArgument) {
		c.ValidArgsFunction = completeBeginning(begins["bucket"])
	}
}

// beginnings returns how URLs begin.
func beginnings(schemes []queue.Scheme) []string {
	var list []string
	for _, s := range schemes {
		list = append(list, s.Name+"://")
	}
	return list
}

// completeBeginning completes what a value begins with, else the names of files.
func completeBeginning(beginnings []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, given string) ([]string, cobra.ShellCompDirective) {
		var fit []string
		for _, b := range beginnings {
			if strings.HasPrefix(b, given) {
				fit = append(fit, b)
			}
		}
		return fit, cobra.ShellCompDirectiveNoSpace
	}
}

// completeList completes the last word of a list with commas, which has no word twice.
func completeList(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, given string) ([]string, cobra.ShellCompDirective) {
		before := given[:strings.LastIndex(given, ",")+1]
		var lists []string
		for _, w := range words {
			if strings.HasPrefix(before+w, given) && !slices.Contains(strings.Split(before, ","), w) {
				lists = append(lists, before+w)
			}
		}
		return lists, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
