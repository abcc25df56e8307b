package flagvalue

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

const prefix = "BUCKETSUM_"

// Variable returns the environment variable that stands for a flag.
func Variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// HasVariable reports whether a variable stands for a flag: it does not for those that only print something.
func HasVariable(flag string) bool { return flag != "help" && flag != "version" }

// isSet is the annotation of a flag whose value is from the environment.
const isSet = "bucketsum-from-environment"

// SetFromEnvironment sets the flags that are not on the command line from the
// environment, where spaces separate the values of a flag that may be repeated. It
// returns all mistakes.
func SetFromEnvironment(fs *pflag.FlagSet, getenv func(string) string) error {
	var (
		faults []error
		given  []string // flags on the command line
	)
	fs.Visit(func(f *pflag.Flag) { given = append(given, f.Name) })
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || !HasVariable(f.Name) || overridesOne(f, given) {
			return
		}
		value := getenv(Variable(f.Name))
		if value == "" {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" { // a flag that may be repeated
			values = strings.Fields(value)
		}
		_ = fs.SetAnnotation(f.Name, isSet, nil) // cannot fail: the flag exists
		for _, value := range values {
			if err := fs.Set(f.Name, value); err != nil {
				faults = append(faults, fmt.Errorf("--%s: %w", f.Name, Fault(err)))
			}
		}
	})
	return errors.Join(faults...)
}

// Given returns a message as the user knows it: if it begins with the name of a flag that was set from the environment, it
// names the variable.
func Given(fs *pflag.FlagSet, message string) string {
	name, isFlag := strings.CutPrefix(message, "--")
	if end := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune("-abcdefghijklmnopqrstuvwxyz0123456789", r) }); end >= 0 {
		name = name[:end]
	}
	f := fs.Lookup(name)
	if !isFlag || f == nil {
		return message
	}
	if _, ok := f.Annotations[isSet]; !ok {
		return message
	}
	return Variable(name) + message[len("--"+name):]
}

// Fault returns what is wrong with the value in an error of pflag, without the name of its flag.
func Fault(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	value := invalid.GetValue()
	switch invalid.GetFlag().Value.Type() {
	case "duration":
		meant := ""
		if _, err := strconv.Atoi(value); err == nil {
			meant = fmt.Sprintf("; did you mean %ss?", value)
		}
		return fmt.Errorf("%q is not a time, such as 30s, 5m or 1h30m%s", value, meant)
	case "int", "int64":
		return fmt.Errorf("%q is not a whole number", value)
	case "bool":
		return fmt.Errorf("%q is neither true nor false", value)
	case "stringSlice":
		return fmt.Errorf("%q cannot be read: commas separate its values", value)
	}
	return errors.Unwrap(invalid)
}

// ofKubernetes matches the variables that Kubernetes makes for a Service whose name begins with "bucketsum", in all pods
// of its namespace. No flag may have such a variable.
var ofKubernetes = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// notFlags are variables that mean something else: the kernel of MD5, and the version that scripts install.
var notFlags = []string{md5lanes.Environment, prefix + "VERSION"}

// UnknownVariables returns what to say of each variable in an environment that looks like that of a flag, and stands for
// none of those flags.
func UnknownVariables(environ, flags []string) []string {
	var notes []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, prefix)
		isFlag := slices.ContainsFunc(flags, func(f string) bool { return Variable(f) == name })
		if !ours || isFlag || slices.Contains(notFlags, name) || ofKubernetes.MatchString(name) {
			continue
		}
		meant := ""
		if similar := suggest.Similar(rest, flags); len(similar) > 0 {
			meant = "; did you mean " + Variable(similar[0]) + "?"
		}
		notes = append(notes, name+" in the environment stands for no flag"+meant)
	}
	slices.Sort(notes)
	return notes
}
