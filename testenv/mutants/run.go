package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// simulator is the package whose test has to find the mutants.
const simulator = "./testenv/sim"

// verdict is what the simulator made of one mutant.
type verdict struct {
	invariant string        // that the mutant broke; empty if it survived
	seed      string        // of the schedule that showed it
	schedules int           // how many it took
	sentence  string        // what the simulator says
	took      time.Duration // of processors, by the simulator
}

var violation = regexp.MustCompile(`(?m)^\s*(?:\S+\.go:\d+: )?violation: seed=(-?\d+) schedules=(\d+) invariant=(\S+) ?(.*)$`)

var panicked = regexp.MustCompile(`(?m)^(panic|fatal error): .*$`) // a time-out is one, too

// runner builds and runs the simulator.
type runner struct {
	root      string // of the module
	dir       string // for patched files and binaries
	schedules int
	firstSeed int64
	limit     time.Duration // of one run
	spent     time.Duration // of processors, by everything so far
}

// build compiles the simulator's test with the mutant and returns the binary.
func (r *runner) build(ctx context.Context, m mutant) (string, error) {
	overlay, err := m.overlay(r.root, r.dir)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(r.dir, m.name+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-ldflags=-s -w", "-o", binary, simulator)
	build.Dir = r.root
	out, err := build.CombinedOutput()
	r.spent += processorTime(build)
	if err != nil {
		return "", fmt.Errorf("mutant %s does not compile: %w\n%s", m.name, err, out)
	}
	return binary, nil
}

// try tries a mutant in the way that can kill it.
func (r *runner) try(ctx context.Context, m mutant) (verdict, error) {
	if !m.pass {
		return r.run(ctx, m, r.schedules)
	}
	killer, err := r.killingTest(ctx, m)
	return verdict{invariant: killer}, err
}

// run lets the simulator look for the mutant. An error says that the run proves nothing: it ended in another
// way than with a violation or after all schedules.
func (r *runner) run(ctx context.Context, m mutant, schedules int) (verdict, error) {
	binary, err := r.build(ctx, m)
	if err != nil {
		return verdict{}, err
	}
	defer os.Remove(binary)
	test := exec.CommandContext(ctx, binary, "-test.run", "^TestSchedules$", "-test.timeout", r.limit.String(),
		"-schedules", strconv.Itoa(schedules), "-first-seed", strconv.FormatInt(r.firstSeed, 10),
		"-lie", m.lie)
	test.Dir = filepath.Join(r.root, simulator)
	out, err := test.CombinedOutput()
	v, err := judge(out, err)
	v.took = processorTime(test)
	r.spent += v.took
	if err != nil {
		return v, fmt.Errorf("mutant %s: %w", m.name, err)
	}
	return v, nil
}

func processorTime(c *exec.Cmd) time.Duration {
	if c.ProcessState == nil {
		return 0 // it did not start
	}
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime()
}

// judge reads what the simulator printed and how it ended.
func judge(out []byte, failed error) (verdict, error) {
	found := violation.FindSubmatch(out)
	switch {
	case failed == nil && bytes.Contains(out, []byte("no tests to run")):
		return verdict{}, errors.New("the simulator has no TestSchedules")
	case failed == nil:
		return verdict{}, nil
	case found == nil:
		return verdict{}, fmt.Errorf("the simulator failed without a violation: %w: %s\n%s", failed, panicked.Find(out), tail(out, 40))
	}
	v := verdict{seed: string(found[1]), invariant: string(found[3]), sentence: string(found[4])}
	var err error
	v.schedules, err = strconv.Atoi(string(found[2]))
	return v, err
}

// tail returns the last lines of an output.
func tail(out []byte, lines int) string {
	all := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
