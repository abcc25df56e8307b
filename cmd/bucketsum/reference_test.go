package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
)

// TestReferencePages compares docs/reference with the commands. Write the pages with:
//
//	go test ./cmd/bucketsum -run TestReferencePages -update
func TestReferencePages(t *testing.T) {
	root := newRoot(process{getenv: func(string) string { return "" }})
	pages := map[string]string{"README.md": overviewPage(root)}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			pages[c.Name()+".md"] = commandPage(c)
		}
	}
	dir := filepath.Join("..", "..", "docs", "reference")
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for name, page := range pages {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	committed := make(map[string]string)
	for _, f := range files {
		page, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		committed[f.Name()] = string(page)
	}
	if diff := cmp.Diff(pages, committed); diff != "" {
		t.Errorf("docs/reference is not current; write it with: go test ./cmd/bucketsum -run TestReferencePages -update\n%s", diff)
	}
}

// TestChartPassesEveryFlag: each flag of the worker has a value in the chart. The gate's check of the chart looks at
// what is rendered; this test tells at once.
func TestChartPassesEveryFlag(t *testing.T) {
	template, err := os.ReadFile(filepath.Join("..", "..", "deploy", "chart", "templates", "_args.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	root := newRoot(process{getenv: func(string) string { return "" }})
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	serve.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "check" {
			return
		}
		for _, way := range []string{`"` + f.Name + `"`, "--" + f.Name + "=", "--" + f.Name + `"`, flagvalue.Variable(f.Name)} {
			if strings.Contains(string(template), way) {
				return
			}
		}
		t.Errorf("--%s: give it a value in deploy/chart/values.yaml and templates/_args.tpl", f.Name)
	})
}

const generated = "<!-- Written by: go test ./cmd/bucketsum -run TestReferencePages -update -->\n\n"

func overviewPage(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# The commands of bucketsum\n\n| command | what it does |\n|---|---|\n", generated)
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, "| [`%s`](%s.md) | %s |\n", c.CommandPath(), c.Name(), inCell(c.Short))
		}
	}
	b.WriteString(`
Each flag is an environment variable too: ` + "`--drain-timeout` is `BUCKETSUM_DRAIN_TIMEOUT`" + `. The command line wins.
In the environment, spaces separate the values of a flag that may be repeated.

| exit status | meaning |
|---|---|
`)
	fmt.Fprintf(&b, "| %d | everything was done |\n| %d | the work failed in part or whole; stderr says how |\n| %d | the command line or the environment is wrong; nothing was done. Also: verify could not check everything |\n",
		exitOK, exitFailed, exitUsage)
	return b.String()
}

func commandPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s\n\n%s\n\n```\n%s\n```\n", generated, c.CommandPath(), sentence(c.Short), c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	for _, sub := range c.Commands() {
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s\n```\n", sub.CommandPath(), strings.TrimSpace(sub.Long))
	}
	if firstFlag(c) != "" {
		b.WriteString("\n## Flags\n\n| flag | environment variable | default | meaning |\n|---|---|---|---|\n")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			name := "`--" + f.Name + "`"
			if f.Shorthand != "" {
				name = "`-" + f.Shorthand + "`, " + name
			}
			initial := "–"
			if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" {
				initial = "`" + strings.Trim(f.DefValue, "[]") + "`"
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", name, flagvalue.Variable(f.Name), initial, inCell(f.Usage))
		})
	}
	if c.Example != "" {
		fmt.Fprintf(&b, "\n## Examples\n\n```sh\n%s\n```\n", strings.ReplaceAll(strings.Trim(c.Example, "\n"), "\n  ", "\n")[2:])
	}
	return b.String()
}

// inCell returns text as a cell of a table in Markdown.
func inCell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`).Replace(text)
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }
