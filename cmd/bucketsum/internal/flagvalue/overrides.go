package flagvalue

import (
	"slices"

	"github.com/spf13/pflag"
)

// overrides is the annotation with the names of the flags that a flag switches off.
const overrides = "overrides"

// Overrides makes a boolean flag switch others off, so that the last of them on a command line counts. One on the
// command line counts more than any in the environment.
func Overrides(fs *pflag.FlagSet, name string, others ...string) {
	f := fs.Lookup(name)
	switching := overriding{Value: f.Value}
	for _, other := range others {
		o := fs.Lookup(other).Value
		if before, ok := o.(overriding); ok {
			o = before.Value // so that two flags can override each other
		}
		switching.others = append(switching.others, o)
	}
	f.Value = switching
	_ = fs.SetAnnotation(name, overrides, others) // cannot fail: the flag exists
}

type overriding struct {
	pflag.Value
	others []pflag.Value
}

func (v overriding) IsBoolFlag() bool { return true }

func (v overriding) Set(text string) error {
	if err := v.Value.Set(text); err != nil || v.Value.String() != "true" {
		return err
	}
	for _, other := range v.others {
		if err := other.Set("false"); err != nil {
			return err
		}
	}
	return nil
}

// overridesOne reports whether f would switch off one of the named flags.
func overridesOne(f *pflag.Flag, names []string) bool {
	return slices.ContainsFunc(f.Annotations[overrides], func(name string) bool { return slices.Contains(names, name) })
}
