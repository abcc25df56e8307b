// Package docs_test checks the Markdown pages of the repository.
package docs_test

import (
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// page is a Markdown file. Fenced code is apart from the prose, because links and
// headings mean nothing there.
type page struct {
	prose, code string
	anchors     map[string]bool // of its headings, as GitHub names them
}

var (
	heading  = regexp.MustCompile(`^#{1,6} +(.*)`)
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	codeSpan = regexp.MustCompile("`([^`]+)`")
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]+`)
	// command finds bucketsum where a command begins, and the word after it.
	command  = regexp.MustCompile(`(?m)(?:^|[$|&] |cmd/)bucketsum +([a-z][a-z-]*)`)
	flag     = regexp.MustCompile(`^--[a-z][a-z0-9-]*`)
	variable = regexp.MustCompile(`BUCKETSUM_[A-Z0-9_]+[A-Z0-9]`)
	// test finds the names of tests, but not those of other modules, such as tests.TestPubSub.
	test = regexp.MustCompile(`(?:^|[^.\w])((?:Test|Fuzz|Example)[A-Z]\w+)`)
)

// readPages returns the Markdown files below the root, by their slash-separated path.
func readPages(t *testing.T) map[string]page {
	t.Helper()
	pages := make(map[string]page)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(file) != ".md":
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		pages[filepath.ToSlash(name)] = parse(string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 20 {
		t.Fatalf("found %d pages only: %v", len(pages), slices.Sorted(maps.Keys(pages)))
	}
	return pages
}

func parse(text string) page {
	p := page{anchors: make(map[string]bool)}
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			p.code += strings.TrimLeft(line, " ")
			continue
		}
		p.prose += line
		if m := heading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
			p.anchors[strings.ReplaceAll(slug, " ", "-")] = true
		}
	}
	return p
}

// TestLinks follows every relative link to a file, and to a heading if it names one.
func TestLinks(t *testing.T) {
	pages := readPages(t)
	links := 0
	for name, p := range pages {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(p.prose, ""), -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			links++
			file := name
			if target.Path != "" {
				file = path.Join(path.Dir(name), target.Path)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
				t.Errorf("%s links %s, which does not exist", name, m[1])
				continue
			}
			if target.Fragment != "" && !pages[file].anchors[target.Fragment] {
				t.Errorf("%s links %s, a heading that %s does not have", name, m[1], file)
			}
		}
	}
	if links < 50 {
		t.Errorf("found %d relative links only", links)
	}
}

// foreignFlags are flags of other programs that the prose names.
var foreignFlags = []string{
	"--build-arg", "--data-binary", "--destination-arn", "--event-kafka-url", "--event-rabbitmq-url", "--manifest", "--path-as-is",
	"--platform", "--set",
	"--time", "--timestamp", "--type",
}

// TestCommandsAndFlags compares the commands, flags and environment variables that
// pages name with docs/reference, which a test in cmd/bucketsum keeps current.
func TestCommandsAndFlags(t *testing.T) {
	pages := readPages(t)
	commands, flags := map[string]bool{"help": true}, map[string]bool{"--help": true, "--version": true}
	for name, p := range pages {
		if !strings.HasPrefix(name, "docs/reference/") {
			continue
		}
		commands[strings.TrimSuffix(path.Base(name), ".md")] = true
		for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
			for _, word := range strings.Fields(m[1]) {
				if flag.MatchString(word) {
					flags[flag.FindString(word)] = true
				}
			}
		}
	}
	if len(commands) < 5 || len(flags) < 30 {
		t.Fatalf("docs/reference has %d commands and %d flags only", len(commands), len(flags))
	}
	found := 0
	for name, p := range pages {
		text := p.code
		for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
			text += m[1] + "\n"
			if f := flag.FindString(m[1]); f != "" {
				found++
				if !flags[f] && !slices.Contains(foreignFlags, f) {
					t.Errorf("%s names %s, which no command has", name, f)
				}
			}
		}
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			found++
			if !commands[m[1]] {
				t.Errorf("%s: there is no command bucketsum %s", name, m[1])
			}
		}
		for _, v := range variable.FindAllString(text, -1) {
			f := "--" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(v, "BUCKETSUM_"), "_", "-"))
			if !flags[f] {
				t.Errorf("%s names %s, but there is no %s", name, v, f)
			}
		}
	}
	if found < 50 {
		t.Errorf("found %d commands and flags only", found)
	}
}

// TestTestsExist looks for each test that a page names.
func TestTestsExist(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, p := range readPages(t) {
		for _, m := range test.FindAllStringSubmatch(p.prose+p.code, -1) {
			found++
			if !strings.Contains(sources.String(), "\nfunc "+m[1]+"(") {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d names of tests only", found)
	}
}

// TestThreatsHaveTests: each threat names a test or a check of the gate, or says that it has
// none, and an open one says how bad it is.
func TestThreatsHaveTests(t *testing.T) {
	held := regexp.MustCompile("(Test|Fuzz)[A-Z]|`[.]ci/|made-up|^not (tested|needed)")
	severity := regexp.MustCompile(`^\| \*\*open, (low|medium|high)\*\*: `)
	rows := 0
	for line := range strings.Lines(readPages(t)["docs/threats.md"].prose) {
		cells := strings.Split(line, " | ")
		if len(cells) < 2 || strings.HasPrefix(line, "| threat") {
			continue
		}
		rows++
		if len(cells) != 5 {
			t.Errorf("%d columns, not 5: %s", len(cells), line)
			continue
		}
		if !held.MatchString(cells[3]) {
			t.Errorf("no test: %s", line)
		}
		if strings.HasPrefix(line, "| **") && !severity.MatchString(line) {
			t.Errorf("it does not say how bad it is: %s", line)
		}
	}
	if rows < 50 {
		t.Errorf("found %d threats only", rows)
	}
}
