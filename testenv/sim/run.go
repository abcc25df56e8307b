package sim

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// Options of a run. The zero value is an honest store and the invariants that hold today.
type Options struct {
	Lie Lie
}

// Report is what happened in one run.
type Report struct {
	Seed      int64
	Options   Options
	Profile   Profile
	Violation *Violation // nil: every invariant held
	Steps     int
	Simulated time.Duration
	Counts    map[string]int // of faults, crashes and the like, by kind

	history history
}

// Hash is equal for two runs with the same history.
func (r *Report) Hash() uint64 { return r.history.hash() }

// History returns the last n lines that concern a key; of everything if key is empty.
func (r *Report) History(key string, n int) []string { return r.history.about(key, n) }

// Run runs the schedule of a seed in a bubble of its own.
func Run(t *testing.T, seed int64, o Options) *Report {
	t.Helper()
	var report *Report
	synctest.Test(t, func(*testing.T) { report = run(seed, o) })
	return report
}

func run(seed int64, o Options) *Report {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x62756b6574)) // the second word has no meaning
	k := &kernel{
		rng: rng, profile: draw(rng, o.Lie), start: time.Now(), wake: make(chan struct{}, 1), counts: make(map[string]int),
	}
	k.history.start = k.start
	k.check = &checker{kernel: k}
	defer backoff.SetSource(jitter(uint64(seed)))()
	p := &k.profile
	p.addKiller(seed)
	for _, name := range []string{"a", "b"}[:p.Buckets] {
		s := newStore(name, p.Versioned)
		s.unknown404 = p.UnknownVersions
		s.changed = func(e change) {
			k.publish(e)
			k.check.changed(e)
		}
		k.store = append(k.store, s)
	}
	k.queue = &queueModel{
		kernel: k, visibility: p.Visibility, maxReceive: p.MaxReceive,
		byBody: make(map[string]*msg), deliveries: make(map[string]*delivery),
	}
	k.users = &users{kernel: k, claims: make(map[string]bool)}
	k.users.plan()
	k.planOutages()
	k.workers = make([]*process, p.Workers)
	for i := range k.workers {
		k.startWorker(i)
	}
	k.run()
	k.halt()
	return &Report{
		Seed: seed, Options: o, Profile: k.profile, Violation: k.check.found, Steps: k.steps, Simulated: time.Since(k.start),
		Counts: k.counts, history: k.history,
	}
}

// halt ends all processes. The clock of the bubble stops when its first goroutine ends; after a violation there may be
// others that wait for a time.
func (k *kernel) halt() {
	synctest.Wait()
	k.collect()
	for _, w := range k.workers {
		if !w.gone.Load() {
			k.end(w)
		}
	}
	for _, c := range slices.Clone(k.parked) { // of processes that had crashed
		c.err = errGone
		k.answer(c)
	}
	if k.check.violated() {
		time.Sleep(time.Hour)
	}
}

// jitter returns a source of random numbers that depends on the seed and the clock only. Goroutines that draw
// at one instant draw the same, whatever their order is.
func jitter(seed uint64) func(n int64) int64 {
	return func(n int64) int64 {
		x := seed ^ uint64(time.Now().UnixNano())
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // splitmix64
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return int64((x ^ x>>31) % uint64(n))
	}
}
