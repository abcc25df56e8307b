package storm

import (
	"flag"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	duration  = flag.Duration("for", 15*time.Second, "how long the storm lasts")
	ops       = flag.Int("ops", 0, "how many operations users try in that time; 0: 20 in a second")
	seed      = flag.Uint64("seed", 0, "what users do and which faults are drawn; 0: by the clock")
	workers   = flag.Int("workers", 2, "workers of each lane that are killed; one more is not")
	inject    = flag.String("faults", "all", "all, none, each, pairs, or kinds joined by +")
	lanes     = flag.String("lanes", strings.Join(laneNames, ","), "which configurations run side by side")
	killEvery = flag.Duration("kill-every", 3*time.Second, "time between two things done to workers of a lane, on average")
	jsonFile  = flag.String("json", "", "a file that takes reports as lines of JSON")
	logDir    = flag.String("logs", "", "a folder that takes the output of the workers")
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// TestStorm is short by default. The flags make it long.
func TestStorm(t *testing.T) {
	c := Config{
		For: *duration, Ops: *ops, Seed: *seed, Workers: *workers, Faults: *inject, Lanes: strings.Split(*lanes, ","),
		KillEvery: *killEvery, JSON: *jsonFile, Logs: *logDir,
	}
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	if given := flagGiven("for"); testing.Short() && !given {
		c.For = 5 * time.Second
	}
	if c.Ops == 0 {
		c.Ops = int(20 * c.For.Seconds())
	}
	t.Logf("seed %d", c.Seed)
	Run(t, c)
}

// flagGiven reports whether a flag is on the command line.
func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
