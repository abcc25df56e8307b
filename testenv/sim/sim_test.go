package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	schedules = flag.Int("schedules", defaultSchedules, "how many seeds TestSchedules runs")
	firstSeed = flag.Int64("first-seed", 1, "the first of them")
	oneSeed   = flag.Int64("seed", 0, "run only this seed; with -v its history is printed")
	lieFlag   = flag.String("lie", "", "what the events say that is not so; see Lies")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// One goroutine at a time: the order in which goroutines run between two steps then depends on what they
	// do, not on the machine.
	runtime.GOMAXPROCS(1)
	// The lanes of MD5 belong to all bubbles, and how they are shared depends on the machine.
	if err := os.Setenv("BUCKETSUM_MD5", "generic"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestSchedules runs random schedules and checks the invariants in each.
func TestSchedules(t *testing.T) {
	options := Options{Lie: Lie(*lieFlag)}
	first, last := *firstSeed, *firstSeed+int64(*schedules)-1
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	var steps, faults, crashes int
	var simulated time.Duration
	for seed := first; seed <= last; seed++ {
		r := Run(t, seed, options)
		steps += r.Steps
		simulated += r.Simulated
		for kind, n := range r.Counts {
			if kind == "crash" {
				crashes += n
			} else {
				faults += n
			}
			kinds[kind] += n
		}
		if *oneSeed != 0 && testing.Verbose() {
			fmt.Printf("profile: %s\n%s\n", r.Profile, strings.Join(r.History("", 1<<30), "\n"))
		}
		if r.Violation != nil {
			report(r, int(seed-first+1))
			t.FailNow()
		}
	}
	fmt.Printf("schedules: %d seeds %d..%d, %d steps, %d faults, %d crashes, %s simulated, violations 0\n",
		last-first+1, first, last, steps, faults, crashes, simulated.Round(time.Second))
	if testing.Verbose() {
		fmt.Println("kinds:", kinds)
	}
}

// kinds counts faults, crashes and the like.
var kinds = make(map[string]int)

// report prints a violation with the history of its key.
func report(r *Report, ran int) {
	v := r.Violation
	fmt.Printf("violation: seed=%d schedules=%d invariant=%s %s: %s\n", r.Seed, ran, v.Invariant, v.Key, v.Text)
	for _, line := range r.History(v.Key, 40) {
		fmt.Println("  " + line)
	}
	options := ""
	if r.Options.Lie != "" {
		options += fmt.Sprintf(" -lie %s", r.Options.Lie)
	}
	fmt.Printf("replay: go test ./testenv/sim -run '^TestSchedules$' -v -args%s -seed %d\n", options, r.Seed)
}
