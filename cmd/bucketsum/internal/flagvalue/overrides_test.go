package flagvalue

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestOverrides(t *testing.T) {
	for _, test := range []struct{ args, environment, want string }{
		{"--quiet --status", "", "status"},
		{"--status --quiet", "", "quiet"},
		{"--status --quiet=false", "", "status"},
		{"--status", "BUCKETSUM_QUIET", "status"}, // the command line comes last, in effect
		{"", "BUCKETSUM_QUIET", "quiet"},
		{"--other", "BUCKETSUM_QUIET", "quiet other"},
	} {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		on := map[string]*bool{}
		for _, name := range []string{"quiet", "status", "other"} {
			on[name] = fs.Bool(name, false, "")
		}
		Overrides(fs, "quiet", "status")
		Overrides(fs, "status", "quiet")
		if err := fs.Parse(strings.Fields(test.args)); err != nil {
			t.Fatal(err)
		}
		if err := SetFromEnvironment(fs, func(name string) string {
			if name == test.environment {
				return "true"
			}
			return ""
		}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"quiet", "status", "other"} {
			if *on[name] {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q with %q: %q are on, want %q", test.args, test.environment, got, test.want)
		}
	}
	if fs := pflag.NewFlagSet("", pflag.ContinueOnError); fs.Bool("a", false, "") != nil && fs.Bool("b", false, "") != nil {
		Overrides(fs, "a", "b")
		if usage := fs.FlagUsages(); strings.Contains(usage, "default") {
			t.Error(usage)
		}
	}
}
