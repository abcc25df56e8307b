package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/handlers"
)

// Profile is what a seed draws first: which faults are possible in its run, how large it is and how the workers are
// configured. Runs that differ in this find more than runs that all have a little of everything.
type Profile struct {
	Workers     int
	Concurrency int
	Keys        int
	Operations  int           // of users
	Span        time.Duration // of the users' operations; faults end a little later
	Buckets     int
	Versioned   bool

	// Options of the workers.
	Algorithms       []string
	KeepRecords      bool
	RecordMismatches bool
	IgnoreClaims     bool
	Exclude          bool // objects below "skip/" get no record
	Results          bool
	DeadLetters      bool
	MaxDeliveries    int
	Resume           handlers.Resume
	Drain            time.Duration

	// The queue.
	Visibility  time.Duration
	MaxReceive  int
	DelaysNacks bool
	Delay       time.Duration // the longest of an event
	Again       float64       // share of events that are sent twice
	Duplicate   float64       // share of receives that leave a second copy
	Form        form
	OwnEvents   bool // the changes of records and checkpoints cause events, too

	// Faults: the shares of calls that they concern.
	StoreFaults, QueueFaults, Refusals, Denials, Torn, Damage float64
	Crash, Freezes, Drains, Meddling                          float64
	Outages                                                   int
	Slow                                                      float64
	Latency, Slowest, SlowBody, Stall, Freeze, Downtime       time.Duration // Stall: of a call that a user forestalls
	Killer                                                    bool          // the first object kills each worker that opens it, to the end
	FalseClaims                                               float64
	ClockJump                                                 time.Duration // of the store's clock
	OwnFiles                                                  bool          // users have checksum files of their own

	Lie             Lie  // what the events say that is not so
	UnknownVersions bool // a version id that the store cannot have is 404, not 400
}

// form is how the store words its events.
type form int

const (
	eventBridge form = iota
	notification
	batches // notifications with several records
)

// draw draws a profile.
func draw(rng *rand.Rand, lie Lie) Profile {
	coin := func(p float64) bool { return rng.Float64() < p }
	rate := func(p float64, values ...float64) float64 {
		if !coin(p) {
			return 0
		}
		return values[rng.IntN(len(values))]
	}
	upTo := func(low, high int) int { return low + rng.IntN(high-low+1) }
	lasts := func(values ...time.Duration) time.Duration { return values[rng.IntN(len(values))] }
	p := Profile{
		Workers: upTo(2, 3), Concurrency: upTo(1, 4), Keys: upTo(1, 3), Operations: upTo(3, 14),
		Span: lasts(time.Second, 10*time.Second, time.Minute, 5*time.Minute), Buckets: 1, Versioned: coin(0.5),
		Algorithms: []string{"md5"}, KeepRecords: coin(0.15), RecordMismatches: coin(0.2), IgnoreClaims: coin(0.15),
		Exclude: coin(0.15), Results: coin(0.8), DeadLetters: coin(0.85),
		Drain:       lasts(time.Second, 5*time.Second, 30*time.Second),
		Visibility:  lasts(10*time.Second, 30*time.Second, 2*time.Minute),
		DelaysNacks: coin(0.7), Delay: lasts(0, time.Second, 20*time.Second, 3*time.Minute),
		Again: rate(0.4, 0.1, 0.5), Duplicate: rate(0.3, 0.05, 0.3), Form: form(rng.IntN(3)), OwnEvents: coin(0.4),
		StoreFaults: rate(0.6, 0.01, 0.05, 0.2), QueueFaults: rate(0.5, 0.01, 0.05, 0.2), Refusals: rate(0.3, 0.05, 0.3),
		Denials: rate(0.15, 0.02, 0.1), Torn: rate(0.4, 0.05, 0.3), Damage: rate(0.2, 0.02, 0.2),
		Crash: rate(0.4, 0.002, 0.01, 0.03), Freezes: rate(0.3, 0.002, 0.01), Drains: rate(0.3, 0.002, 0.01), Meddling: rate(0.6, 0.02, 0.1, 0.3),
		Slow: rate(0.3, 0.01, 0.05), Latency: lasts(time.Millisecond, 20*time.Millisecond, 500*time.Millisecond),
		Slowest: lasts(5*time.Second, 90*time.Second), Stall: lasts(time.Second, 10*time.Second), Freeze: lasts(5*time.Second, 5*time.Minute), Downtime: lasts(time.Second, 2*time.Minute),
		FalseClaims: rate(0.15, 0.2), ClockJump: lasts(0, 0, -time.Hour, time.Hour), OwnFiles: coin(0.15),
		Lie: lie,
	}
	if coin(0.3) {
		p.Algorithms = append(p.Algorithms, "sha256")
	}
	switch x := rng.IntN(10); {
	case x < 2:
		p.Workers = 1
	case x < 4:
		p.Workers = upTo(4, 5)
	}
	if coin(0.15) {
		p.Buckets = 2
	}
	if coin(0.3) {
		p.Outages = upTo(1, 3)
	}
	if coin(0.5) {
		p.Resume = handlers.Resume{Above: 500, Every: 500}
		if coin(0.5) {
			p.Resume.Slice = lasts(time.Second, 10*time.Second)
			p.SlowBody = lasts(time.Second, 20*time.Second)
		}
	}
	if !p.DeadLetters || coin(0.1) {
		p.MaxReceive = upTo(5, 12)
	} else if coin(0.2) {
		p.MaxDeliveries = upTo(4, 10)
	}
	p.UnknownVersions = coin(0.5)
	switch {
	case lie == KeyRaw && p.Form == eventBridge:
		p.Form = notification
	case lie == KeyEncoded:
		p.Form = eventBridge
	}
	return p
}

// addKiller gives some seeds an object that kills its workers, and a limit of deliveries. It draws nothing, so that other
// seeds keep their histories.
func (p *Profile) addKiller(seed int64) {
	if p.Killer = seed%8 == 5 && p.DeadLetters; p.Killer && p.lastDelivery() == 0 {
		p.MaxDeliveries = 4
	}
}

// lastDelivery is the number of the last delivery that workers work on; 0: there is no limit.
func (p *Profile) lastDelivery() int {
	if limit := p.MaxReceive - 1; limit > 0 {
		return min(cmp.Or(p.MaxDeliveries, limit), limit)
	}
	return p.MaxDeliveries
}

func (p *Profile) selects(key string) bool { return !p.Exclude || !strings.HasPrefix(key, "skip/") }

// String returns all fields with their names.
func (p Profile) String() string {
	type fields Profile
	return fmt.Sprintf("%+v", fields(p))
}
