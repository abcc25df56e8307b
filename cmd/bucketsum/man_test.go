package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
)

var manDir = flag.String("man", "", "folder that gets the pages of man, see deploy/man/build")

// TestManPages writes the pages of man from the commands, as docs/reference is, and has groff read them. A release writes
// them with deploy/man/build. They are made here because the program itself does not need to.
func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRoot(process{getenv: func(string) string { return "" }})
	pages := map[string]string{"bucketsum.1": overviewMan(root)}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			pages["bucketsum-"+c.Name()+".1"] = commandMan(c)
		}
	}
	var files []string
	for name, page := range pages {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("groff"); err != nil && os.Getenv("CI") == "" {
		t.Skip("there is no groff to read the pages")
	}
	for _, file := range files {
		out, err := exec.Command("groff", "-man", "-ww", "-Tascii", file).CombinedOutput()
		if text := string(out); err != nil || strings.Contains(text, "warning:") || strings.Contains(text, "error:") {
			t.Errorf("groff %s: %v\n%s", file, err, text)
		}
	}
	serve := pages["bucketsum-serve.1"]
	for _, want := range []string{".TH BUCKETSUM-SERVE 1", `\fB\-\-drain\-timeout\fR \fIduration\fR`, "BUCKETSUM_DRAIN_TIMEOUT", "Default: 30s", ".SH EXAMPLES"} {
		if !strings.Contains(serve, want) {
			t.Errorf("bucketsum-serve.1 lacks %q", want)
		}
	}
}

func overviewMan(root *cobra.Command) string {
	var b strings.Builder
	manHead(&b, "bucketsum", strings.Trim(strings.TrimPrefix(root.Short, "bucketsum "), "."))
	b.WriteString(".SH SYNOPSIS\n.B bucketsum\n.I COMMAND\n[flags] [arguments]\n.SH COMMANDS\n")
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR(1)\n%s\n", inRoff("bucketsum-"+c.Name()), inRoff(sentence(c.Short)))
		}
	}
	fmt.Fprintf(&b, `.SH ENVIRONMENT
Each flag is an environment variable too: %s is %s.
The command line wins. Spaces separate the values of a flag that may be repeated.
.SH EXIT STATUS
.TP
%d
Everything was done.
.TP
%d
The work failed in part or whole; standard error says how.
.TP
%d
The command line or the environment is wrong; nothing was done. Also: verify could not check everything.
`, inRoff("--drain-timeout"), "BUCKETSUM_DRAIN_TIMEOUT", exitOK, exitFailed, exitUsage)
	return b.String()
}

func commandMan(c *cobra.Command) string {
	var b strings.Builder
	manHead(&b, "bucketsum-"+c.Name(), c.Short)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", inRoff(c.UseLine()))
	if c.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(inRoff(strings.TrimSpace(c.Long)), "\n\n", "\n.PP\n"))
	}
	for _, sub := range c.Commands() {
		fmt.Fprintf(&b, ".SH %s\n.EX\n%s\n.EE\n", strings.ToUpper(inRoff(sub.Name())), inRoff(strings.TrimSpace(sub.Long)))
	}
	if firstFlag(c) != "" {
		b.WriteString(".SH OPTIONS\n")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			b.WriteString(".TP\n")
			if f.Shorthand != "" {
				fmt.Fprintf(&b, `\fB%s\fR, `, inRoff("-"+f.Shorthand))
			}
			fmt.Fprintf(&b, `\fB%s\fR`, inRoff("--"+f.Name))
			if kind, _ := pflag.UnquoteUsage(f); kind != "" {
				fmt.Fprintf(&b, ` \fI%s\fR`, inRoff(kind))
			}
			fmt.Fprintf(&b, "\n%s.\n", inRoff(sentence(f.Usage)[:len(f.Usage)]))
			if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" {
				fmt.Fprintf(&b, "Default: %s.\n", inRoff(strings.Trim(f.DefValue, "[]")))
			}
			fmt.Fprintf(&b, ".br\nEnvironment: %s\n", flagvalue.Variable(f.Name))
		})
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.EX\n%s\n.EE\n", inRoff(strings.ReplaceAll(strings.Trim(c.Example, "\n"), "\n  ", "\n")[2:]))
	}
	b.WriteString(".SH SEE ALSO\n.BR bucketsum (1)\n")
	return b.String()
}

func manHead(b *strings.Builder, name, short string) {
	fmt.Fprintf(b, ".TH %s 1 \"\" \"%s\" \"User Commands\"\n.nh\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), inRoff("bucketsum "+version()), inRoff(name), inRoff(short))
}

// inRoff returns text that a page shows as it is, and from which it can be copied to a shell.
func inRoff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "\n.", "\n\\&.").Replace(text)
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}
