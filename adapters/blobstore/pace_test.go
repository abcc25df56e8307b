package blobstore

import (
	"math"
	"testing"
)

// network is a store as a pace sees it.
type network struct {
	connection float64 // bytes a second of one connection
	all        float64 // of all together
	reader     float64 // of the reader, from one connection
	copying    float64 // of the reader, from parts
}

func (n network) sample(parts int) (rate float64, hungry bool) {
	reader, share := n.reader, 0.5
	if parts > 0 {
		reader, share = n.copying, 0.95
	}
	came := min(n.all, n.connection*float64(max(parts, 1)))
	return min(came, reader), came < share*reader
}

// TestPace reads 16 GiB from stores of several kinds. It bounds the pace by the level that it
// has most of the time, and by how much it loses with probes.
func TestPace(t *testing.T) {
	const mega = 1e6
	for _, test := range []struct {
		name  string
		start pace
		network
		want int
	}{
		{"S3", pace{}, network{90 * mega, 10_000 * mega, 700 * mega, 700 * mega}, 15},
		{"S3 behind a slow line", pace{}, network{90 * mega, 125 * mega, 700 * mega, 700 * mega}, 3},
		{"a line that one connection fills", pace{}, network{125 * mega, 125 * mega, 700 * mega, 700 * mega}, 0},
		{"a fast store", pace{}, network{300 * mega, 3000 * mega, 700 * mega, 700 * mega}, 3},
		{"this machine", pace{}, network{1200 * mega, 1200 * mega, 700 * mega, 500 * mega}, 0},
		{"this machine, after a mistake", pace{level: 2}, network{1200 * mega, 1200 * mega, 700 * mega, 500 * mega}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := test.start
			best := 0.0
			for _, parts := range paces {
				rate, _ := test.sample(parts)
				best = max(best, rate)
			}
			at := make(map[int]float64) // seconds
			read, took := 0.0, 0.0
			for read < 16<<30 {
				parts := p.want()
				n := int64(parts+1) * partBytes
				rate, hungry := test.sample(parts)
				if p.before > 0 {
					read += float64(n) // what is skipped until it shows
					took += float64(n) / rate
				}
				read += float64(n)
				took += float64(n) / rate
				at[parts] += float64(n) / rate
				p.judge(n, rate, hungry)
			}
			most, longest := 0, 0.0
			for parts, seconds := range at {
				if seconds > longest {
					most, longest = parts, seconds
				}
			}
			if most != test.want {
				t.Errorf("most of the time there are %d parts, want %d: seconds of each %v", most, test.want, at)
			}
			if got := read / took / best; got < 0.95 || math.IsNaN(got) {
				t.Errorf("it reads at %.2f of what is possible", got)
			}
		})
	}
}

// TestPostponed distinguishes parts that could not be had from a probe that failed.
func TestPostponed(t *testing.T) {
	p := pace{pause: longRest / 2}
	p.judge(partBytes, 1, true)
	if p.want() == 0 {
		t.Fatal("no parts are wanted")
	}
	p.postpone(2 * partBytes)
	if p.judge(partBytes, 1, true); p.want() != 0 {
		t.Error("parts are wanted too soon")
	}
	if p.judge(partBytes, 1, true); p.want() == 0 {
		t.Error("parts are not wanted again")
	}
	if p.judge(partBytes, 1, true); p.want() != 0 || p.rest != longRest {
		t.Errorf("after a probe that failed again %d parts are wanted, and more after %d bytes", p.want(), p.rest)
	}
}
