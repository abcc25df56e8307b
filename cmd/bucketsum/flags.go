package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// errHelp ends a command that was asked for its help.
var errHelp = errors.New("help was asked for")

// newFlags returns the flag set of a command. GNU style, as the tools that
// bucketsum stands in for.
func newFlags(c command) *pflag.FlagSet {
	fs := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	return fs
}

// parseFlags parses the arguments, then takes from the environment what they
// did not set; the values of a flag that may be repeated are separated by spaces
// there. It returns the arguments that are not flags. A mistake is a
// usageError; --help prints the help and returns errHelp.
func parseFlags(p process, c command, fs *pflag.FlagSet, args []string) ([]string, error) {
	if err := fs.Parse(args); errors.Is(err, pflag.ErrHelp) {
		printHelp(p, c, fs)
		return nil, errHelp
	} else if err != nil {
		return nil, usageError{err}
	}
	var faults []error
	fs.VisitAll(func(f *pflag.Flag) {
		name := environmentName(f.Name)
		value := p.getenv(name)
		if f.Changed || value == "" {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" { // a flag that may be repeated
			values = strings.Fields(value)
		}
		for _, value := range values {
			if err := fs.Set(f.Name, value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	if len(faults) > 0 {
		return nil, usageError{errors.Join(faults...)}
	}
	return fs.Args(), nil
}

// environmentName returns the environment variable that stands for a flag.
func environmentName(flag string) string {
	return "BUCKETSUM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func printHelp(p process, c command, fs *pflag.FlagSet) {
	fmt.Fprintf(p.stdout, "Usage: bucketsum %s [flags] %s\n\n%s\n", c.name, c.args, c.summary)
	if c.about != "" {
		fmt.Fprintf(p.stdout, "\n%s\n", strings.TrimSpace(c.about))
	}
	if fs.HasFlags() {
		example := ""
		fs.VisitAll(func(f *pflag.Flag) {
			if example == "" {
				example = f.Name
			}
		})
		fmt.Fprintf(p.stdout, "\nFlags (each is an environment variable too, --%s is %s):\n%s",
			example, environmentName(example), fs.FlagUsages())
	}
	if c.examples != "" {
		fmt.Fprintf(p.stdout, "\nExamples:\n%s\n", strings.Trim(c.examples, "\n"))
	}
}
