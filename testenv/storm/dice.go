package storm

import (
	"math/rand/v2"
	"sync"
	"time"
)

// dice are random numbers that a seed decides. Safe for concurrent use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// newDice returns dice for one part of the storm.
func newDice(seed uint64, part uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, part))} }

func (d *dice) float() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64()
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Int64N(n)
}

func (d *dice) upTo(t time.Duration) time.Duration { return time.Duration(d.below(int64(t))) }

// between returns a duration from a to b.
func (d *dice) between(a, b time.Duration) time.Duration { return a + d.upTo(b-a) }

// tally counts by name. Safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func newTally() *tally { return &tally{n: make(map[string]int)} }

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[name]++
}

// counts returns a copy.
func (t *tally) counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(map[string]int, len(t.n))
	for k, v := range t.n {
		c[k] = v
	}
	return c
}
