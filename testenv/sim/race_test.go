//go:build race

package sim

// Few, since the race detector of Go 1.26 crashes in bubbles with very many timers.
const (
	defaultSchedules = 60
	replays          = 5
)
