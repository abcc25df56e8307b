// Command mutants shows that the simulator in testenv/sim finds bugs. For each mutant, a seeded bug in a copy
// of a source file, it prints which invariant the simulator saw broken and how many schedules that took:
//
//	go run ./testenv/mutants
//	go run ./testenv/mutants -run 'checkpoint|offset' -schedules 100000
//
// It runs in any folder of the module. The exit code is 1 if a mutant survived, and 2 if a run proves nothing
// because it ended in another way. A mutant of a pass is tried with the ordinary tests: what it breaks is not
// simulated. A mutant that is too rare for random schedules is one of .ci/model, too, and may
// survive here. The code without a mutant must pass the same schedules; that is the last row.
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
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() { os.Exit(run()) }

// mutants returns the whole table.
func mutants() []mutant {
	return slices.Concat(handlerMutants, pipelineMutants, passMutants, sweepMutants)
}

func run() int {
	pattern := flag.String("run", "", "only mutants whose name matches this `regexp`")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	tests := flag.Bool("tests", false, "print which of the ordinary tests kill the mutants, instead of running the simulator")
	r := runner{}
	flag.IntVar(&r.schedules, "schedules", 5000, "most schedules for each mutant")
	flag.Int64Var(&r.firstSeed, "first-seed", 1, "seed of the first schedule")
	flag.DurationVar(&r.limit, "limit", 2*time.Hour, "longest run of one mutant")
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

// showSimulator prints a row for each mutant. In the end the code without any mutant must pass the schedules that
// killed them, or the rows would say nothing.
func (r *runner) showSimulator(ctx context.Context, chosen []mutant) int {
	fmt.Printf("at most %d schedules for each mutant, from seed %d\n\n", r.schedules, r.firstSeed)
	fmt.Printf(row, "MUTANT", "KILLED BY", "SCHEDULES", "SEED", "CPU-S", "WHAT IT BREAKS")
	most, killed, rare, survived, unclear := 1, 0, 0, 0, 0
	for _, m := range chosen {
		v, err := r.try(ctx, m)
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "mutants:", err)
			unclear++
		case v.invariant == "" && m.rare:
			r.show(m, "not here, but in the model", r.schedules, v)
			rare++
		case v.invariant == "":
			r.show(m, "SURVIVED", r.schedules, v)
			survived++
		default:
			r.show(m, v.invariant, v.schedules, v)
			killed++
			most = max(most, v.schedules)
		}
		if ctx.Err() != nil {
			return 2
		}
	}
	none := mutant{name: "none", what: "the code as it is, in as many schedules as the hardest mutant took"}
	v, err := r.run(ctx, none, most)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		unclear++
	case v.invariant != "":
		fmt.Fprintf(os.Stderr, "mutants: the code without a mutant breaks %s with seed %s: %s\n", v.invariant, v.seed, v.sentence)
		unclear++
	default:
		r.show(none, "nothing, as it must be", most, v)
	}
	fmt.Printf("\n%d mutants: %d killed, %d only by the model, %d survived, %d unclear; %.0f s of processor time with the building\n",
		len(chosen), killed, rare, survived, unclear, r.spent.Seconds())
	switch {
	case unclear > 0:
		return 2
	case survived > 0:
		return 1
	}
	return 0
}

const row = "%-31s %-27s %9s %9s %6s  %s\n"

func (r *runner) show(m mutant, fate string, schedules int, v verdict) {
	fmt.Printf(row, m.name, fate, strconv.Itoa(schedules), v.seed, fmt.Sprintf("%.1f", v.took.Seconds()), m.what)
}
