//go:build !race

package sim

const (
	defaultSchedules = 1500
	replays          = 200
)
