package sim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestReplay proves that a seed decides everything: it runs each seed twice in this process and once in another one,
// and compares the histories.
func TestReplay(t *testing.T) {
	first, n := int64(1_000_000), replays
	if text := os.Getenv("SIM_REPLAYS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	var once []string
	var all strings.Builder
	for seed := range int64(n) {
		r := Run(t, first+seed, Options{})
		once = append(once, strings.Join(r.History("", 1<<30), "\n"))
		fmt.Fprintf(&all, "%d %016x\n", r.Seed, r.Hash())
	}
	if os.Getenv("SIM_REPLAY") != "" { // the other process
		fmt.Print("hashes:\n", all.String(), "end\n")
		return
	}
	for seed := range int64(n) {
		again := strings.Join(Run(t, first+seed, Options{}).History("", 1<<30), "\n")
		if again != once[seed] {
			t.Errorf("seed %d: another history in the same process:\n%s", first+seed, firstDifference(once[seed], again))
		}
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReplay$")
	other.Env = append(os.Environ(), "SIM_REPLAY=1")
	out, err := other.CombinedOutput()
	if err != nil {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "hashes:\n")
	rest, _, _ = strings.Cut(rest, "end\n")
	if rest != all.String() {
		t.Errorf("another process: another history\n%s", firstDifference(all.String(), rest))
	}
}

// firstDifference returns the lines around the first difference of two texts.
func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < min(len(as), len(bs)) && as[i] == bs[i] {
		i++
	}
	var s strings.Builder
	for _, line := range as[max(i-8, 0):i] {
		fmt.Fprintf(&s, "  %s\n", line)
	}
	for _, line := range as[i:min(i+4, len(as))] {
		fmt.Fprintf(&s, "- %s\n", line)
	}
	for _, line := range bs[i:min(i+4, len(bs))] {
		fmt.Fprintf(&s, "+ %s\n", line)
	}
	return s.String()
}
