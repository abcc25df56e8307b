package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRedriveMistakes expects one line for each mistake, before anything is opened.
func TestRedriveMistakes(t *testing.T) {
	from, to := "jetstream://127.0.0.1:1/FAILED?consumer=a", "jetstream://127.0.0.1:1/OBJECTS"
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":          {nil, "--from is missing"},
		"no --to":          {[]string{"--from", from}, "--to is missing"},
		"same place":       {[]string{"--from", from, "--to", "jetstream://127.0.0.1:1/FAILED"}, "--to is the same as --from"},
		"memory":           {[]string{"--from", "mem://a", "--to", to}, "in the memory of another process"},
		"scheme":           {[]string{"--from", "http://a", "--to", to}, "unknown scheme"},
		"match":            {[]string{"--from", from, "--to", to, "--match", "age=3"}, `"age=3" is not reason=TEXT`},
		"glob":             {[]string{"--from", from, "--to", to, "--match", "key=["}, `"key=["`},
		"discard and --to": {[]string{"--from", from, "--to", to, "--discard"}, "--discard excludes --to"},
		"discard, no yes":  {[]string{"--from", from, "--discard"}, "add --yes"},
		"secret":           {[]string{"--from", "jetstream://user:hunter2@a/x", "--to", "jetstream://user:hunter2@a/x"}, "the same"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			p := process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
			status := dispatch(t.Context(), p, append([]string{"redrive"}, test.args...))
			if status != exitUsage || !strings.Contains(errs.String(), test.want) || !strings.HasSuffix(errs.String(), "\nHelp: bucketsum redrive --help\n") || strings.Contains(errs.String(), "hunter2") {
				t.Errorf("status %d: %s; want %q", status, errs.String(), test.want)
			}
		})
	}
}
