package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMutantsApply makes sure that no mutant rots: each one finds its place in today's code and type-checks,
// so that the simulator, not the compiler, has to kill it.
func TestMutantsApply(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exports := exported(t, root)
	seen := make(map[string]bool)
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			if seen[m.name] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`).MatchString(m.name) {
				t.Errorf("name %q is not unique words with hyphens", m.name)
			}
			seen[m.name] = true
			if m.what == "" || strings.HasSuffix(m.what, ".") || strings.Contains(m.what, "\n") {
				t.Errorf("got what = %q, want one sentence without a period", m.what)
			}
			files, err := m.apply(root)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) == 0 {
				t.Fatal("it changes nothing")
			}
			var dirs []string
			for name, source := range files {
				before, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Equal(before, source) {
					t.Errorf("%s is unchanged", name)
				}
				if strings.HasSuffix(name, "_test.go") {
					t.Errorf("%s does not ship", name)
				}
				if dir := path.Dir(name); !slices.Contains(dirs, dir) {
					dirs = append(dirs, dir)
				}
			}
			for _, dir := range dirs {
				if err := typeCheck(root, dir, files, exports); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestApplyRefuses shows that a mutant whose text has moved away, or has become ambiguous, is an error.
func TestApplyRefuses(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("package a\n\nvar x, y = 1, 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]change{
		"gone":      {file: "a.go", old: "z", new: "w"},
		"ambiguous": {file: "a.go", old: "1", new: "2"},
		"no file":   {file: "b.go", old: "x", new: "y"},
		"no syntax": {file: "a.go", old: "var", new: "vra"},
	} {
		if files, err := (mutant{name: name, changes: []change{c}}).apply(root); err == nil {
			t.Errorf("%s: got %q, want an error", name, files)
		}
	}
	two := mutant{name: "two", changes: []change{{"a.go", "x", "v"}, {"a.go", "v,", "w,"}}}
	files, err := two.apply(root)
	if want := "package a\n\nvar w, y = 1, 1\n"; err != nil || string(files["a.go"]) != want {
		t.Errorf("two changes of one file: got %q, %v, want %q", files["a.go"], err, want)
	}
}

// TestJudge: only a violation kills a mutant. A crash of the simulator, or one without its test, proves nothing.
func TestJudge(t *testing.T) {
	failed := errors.New("exit status 1")
	line := "violation: seed=-7 schedules=12 invariant=never-wrong the record of a has the MD5 of b\n"
	dead := verdict{invariant: "never-wrong", seed: "-7", schedules: 12, sentence: "the record of a has the MD5 of b"}
	for name, test := range map[string]struct {
		out    string
		failed error
		want   verdict
		valid  bool
	}{
		"killed":            {line + "FAIL\n", failed, dead, true},
		"killed in a test":  {"--- FAIL: TestSchedules\n    sim_test.go:40: " + line, failed, dead, true},
		"survived":          {"PASS\n", nil, verdict{}, true},
		"panic":             {"panic: nil map\n", failed, verdict{}, false},
		"nothing simulated": {"testing: warning: no tests to run\nPASS\n", nil, verdict{}, false},
	} {
		got, err := judge([]byte(test.out), test.failed)
		if got != test.want || (err == nil) != test.valid {
			t.Errorf("%s: got %+v, %v, want %+v, valid = %v", name, got, err, test.want, test.valid)
		}
	}
}

// exported returns the compiler's export data of all packages that mutants need, by import path.
func exported(t *testing.T, root string) map[string]string {
	t.Helper()
	var packages []string
	for _, m := range mutants() {
		for _, c := range m.changes {
			if dir := "./" + path.Dir(c.file); !slices.Contains(packages, dir) {
				packages = append(packages, dir)
			}
		}
	}
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, packages...)...)
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[name] = file
	}
	return exports
}

// typeCheck checks the package in dir with some files replaced.
func typeCheck(root, dir string, files map[string][]byte, exports map[string]string) error {
	set := token.NewFileSet()
	p, err := build.ImportDir(filepath.Join(root, dir), 0)
	if err != nil {
		return err
	}
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		var source any // nil: the file itself
		if patched, ok := files[path.Join(dir, name)]; ok {
			source = patched
		}
		f, err := parser.ParseFile(set, filepath.Join(root, dir, name), source, 0)
		if err != nil {
			return err
		}
		parsed = append(parsed, f)
	}
	lookup := func(name string) (io.ReadCloser, error) {
		file := exports[name]
		if file == "" {
			return nil, fmt.Errorf("no export data of %s", name)
		}
		return os.Open(file)
	}
	_, err = (&types.Config{Importer: importer.ForCompiler(set, "gc", lookup)}).Check(dir, set, parsed, nil)
	return err
}

// TestRareMutantsAreInTheModel looks for the row that shows a mutant which the simulator may miss.
func TestRareMutantsAreInTheModel(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(filepath.Join(root, ".ci", "model"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		if m.rare && !regexp.MustCompile(`(?m)^row dies \w+ `+m.name+` `).Match(rows) {
			t.Errorf("%s: .ci/model has no row of this name that dies", m.name)
		}
	}
}
