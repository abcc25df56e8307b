package flagvalue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Variable returns the environment variable that stands for a flag.
func Variable(flag string) string {
	return "BUCKETSUM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// SetFromEnvironment sets the flags that are not on the command line from the
// environment, where spaces separate the values of a flag that may be repeated. It
// returns all mistakes.
func SetFromEnvironment(fs *pflag.FlagSet, getenv func(string) string) error {
	var faults []error
	fs.VisitAll(func(f *pflag.Flag) {
		name := Variable(f.Name)
		value := getenv(name)
		if f.Changed || value == "" || f.Name == "help" {
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
	return errors.Join(faults...)
}
