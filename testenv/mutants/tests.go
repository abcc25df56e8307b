package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ordinary are the packages whose tests are asked, besides those of the changed packages.
var ordinary = []string{"handlers", "pipeline", "pipeline/queue", "adapters/blobstore", "adapters/blobstore/s3", "adapters/blobstore/folder", "adapters/blobstore/memory"}

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// showTests prints which ordinary test kills each mutant.
func (r *runner) showTests(ctx context.Context, chosen []mutant) int {
	code := 0
	for _, m := range chosen {
		killer, err := r.killingTest(ctx, m)
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "mutants:", err)
			code = 2
		case killer == "":
			fmt.Printf("%-31s SURVIVED\n", m.name)
			code = max(code, 1)
		default:
			fmt.Printf("%-31s %s\n", m.name, killer)
		}
	}
	return code
}

// killingTest returns the first test that fails with the mutant, with its package; empty if all pass.
func (r *runner) killingTest(ctx context.Context, m mutant) (string, error) {
	overlay, err := m.overlay(r.root, r.dir)
	if err != nil {
		return "", err
	}
	var packages []string
	for _, c := range m.changes {
		packages = append(packages, path.Dir(c.file))
	}
	packages = append(packages, ordinary...)
	for i, name := range packages {
		if slices.Contains(packages[:i], name) {
			continue
		}
		test := exec.CommandContext(ctx, "go", "test", "-short", "-failfast", "-timeout", "5m", "-overlay", overlay, "./"+name)
		test.Dir = r.root
		out, err := test.CombinedOutput()
		if err == nil {
			continue
		}
		found := failure.FindAllSubmatch(out, -1)
		var names []string
		for _, f := range found {
			names = append(names, string(f[1]))
		}
		switch {
		case len(names) > 0:
			return name + " " + names[len(names)-1], nil
		case bytes.Contains(out, []byte("panic:")):
			return name + " panic: " + strings.SplitN(string(out[bytes.Index(out, []byte("panic:"))+7:]), "\n", 2)[0], nil
		default:
			return "", fmt.Errorf("mutant %s: go test ./%s: %w\n%s", m.name, name, err, tail(out, 20))
		}
	}
	return "", nil
}
