// Command mutants shows that the simulator in testenv/sim finds bugs. For each mutant, a seeded bug in a copy
// of a source file, it prints which invariant the simulator saw broken and how many schedules that took:
//
//	go run ./testenv/mutants
//	go run ./testenv/mutants -run 'checkpoint|offset' -schedules 100000
//
// It runs in any folder of the module. The exit code is 1 if a mutant survived, and 2 if a run proves nothing
// because it ended in another way. The unpatched code must pass the same schedules; that run is the first row.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() { os.Exit(run()) }

// mutants returns the whole table.
func mutants() []mutant { return append(append([]mutant(nil), handlerMutants...), pipelineMutants...) }

func run() int {
	pattern := flag.String("run", "", "only mutants whose name matches this `regexp`")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	tests := flag.Bool("tests", false, "print which of the ordinary tests kill the mutants, instead of running the simulator")
	r := runner{}
	flag.IntVar(&r.schedules, "schedules", 5000, "most schedules for each mutant")
	flag.Int64Var(&r.firstSeed, "first-seed", 1, "seed of the first schedule")
	flag.DurationVar(&r.limit, "limit", 20*time.Minute, "longest run of one mutant")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	chosen, err := choose(*pattern)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err == nil && !*list {
		r.root, err = moduleRoot(ctx)
	}
	if err == nil && !*list {
		r.dir, err = os.MkdirTemp("", "mutants")
		defer os.RemoveAll(r.dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 2
	}
	switch {
	case *list:
		for _, m := range chosen {
			fmt.Printf("%-31s %s\n", m.name, m.what)
		}
		return 0
	case *tests:
		return r.showTests(ctx, chosen)
	}
	return r.showSimulator(ctx, chosen)
}

func choose(pattern string) ([]mutant, error) {
	name, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if name.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant has a name that matches %q", pattern)
	}
	return chosen, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// showSimulator prints a row for each mutant. Before, the code without any must pass, or the rows would say
// nothing.
func (r *runner) showSimulator(ctx context.Context, chosen []mutant) int {
	fmt.Printf("at most %d schedules for each mutant, from seed %d\n\n", r.schedules, r.firstSeed)
	fmt.Printf("%-31s %-34s %9s %9s %8s\n", "MUTANT", "KILLED BY", "SCHEDULES", "SEED", "SECONDS")
	code, survivors := 0, 0
	for _, m := range append([]mutant{{name: "(none)"}}, chosen...) {
		v, err := r.run(ctx, m, r.schedules)
		switch {
		case err != nil:
			fmt.Printf("%-31s %s\n", m.name, "PROVES NOTHING")
			fmt.Fprintln(os.Stderr, "mutants:", err)
			code = 2
		case len(m.changes) == 0 && v.invariant != "":
			fmt.Printf("%-31s %-34s %9d %9s %8.1f\n", m.name, v.invariant, v.schedules, v.seed, v.took.Seconds())
			fmt.Fprintf(os.Stderr, "mutants: the code without a mutant breaks %s: %s\n", v.invariant, v.sentence)
			return 2
		case v.invariant == "":
			fate := "SURVIVED"
			if len(m.changes) == 0 {
				fate = "nothing, as it must be"
			} else {
				survivors++
			}
			fmt.Printf("%-31s %-34s %9d %9s %8.1f\n", m.name, fate, r.schedules, "", v.took.Seconds())
		default:
			fmt.Printf("%-31s %-34s %9d %9s %8.1f\n", m.name, v.invariant, v.schedules, v.seed, v.took.Seconds())
		}
		if ctx.Err() != nil {
			return 2
		}
	}
	fmt.Printf("\n%d mutants, %d survived\n", len(chosen), survivors)
	if code == 0 && survivors > 0 {
		return 1
	}
	return code
}
