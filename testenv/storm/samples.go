package storm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is the state of a worker at one time.
type sample struct {
	lane                                string
	at                                  time.Duration // since the storm began
	pid                                 int
	resident, heap, descriptors, routes float64 // bytes, bytes, count, goroutines
}

// measure samples the workers that are never killed, until ctx ends.
func (s *storm) measure(ctx context.Context) {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		pause(ctx, s.sampleEvery)
		for _, l := range s.lanes {
			for _, w := range l.workers {
				w.mu.Lock()
				p, address := w.process, w.address
				w.mu.Unlock()
				if !w.survivor || p == nil || address == "" {
					continue
				}
				m, err := measureProcess(client, p.Pid, address)
				if err != nil {
					continue // it is frozen
				}
				m.lane, m.at = l.name, time.Since(s.began)
				s.samples = append(s.samples, m)
			}
		}
	}
}

func measureProcess(client *http.Client, pid int, address string) (sample, error) {
	m := sample{pid: pid}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(f[1], 64) // the kernel writes numbers
			m.resident = kib * 1024
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return m, err
	}
	m.descriptors = float64(len(open))
	answer, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return m, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(answer.Body, 4<<20))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		v, _ := strconv.ParseFloat(value, 64) // only of two series
		switch name {
		case "go_goroutines":
			m.routes = v
		case "go_memstats_heap_inuse_bytes":
			m.heap = v
		}
	}
	return m, lines.Err()
}

// quarter is the median of a quarter of the samples.
type quarter struct{ resident, heap, descriptors, routes float64 }

// quarters returns the medians of the first and the last quarter of a lane's samples, by time.
func (s *storm) quarters(lane string) (n int, first, last quarter) {
	var all []sample
	for _, m := range s.samples {
		if m.lane == lane {
			all = append(all, m)
		}
	}
	if len(all) < 4 {
		return len(all), first, last
	}
	of := func(part []sample) quarter {
		return quarter{
			median(part, func(m sample) float64 { return m.resident }),
			median(part, func(m sample) float64 { return m.heap }),
			median(part, func(m sample) float64 { return m.descriptors }),
			median(part, func(m sample) float64 { return m.routes }),
		}
	}
	k := len(all) / 4
	return len(all), of(all[:k]), of(all[len(all)-k:])
}

func median(part []sample, of func(sample) float64) float64 {
	var values []float64
	for _, m := range part {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// checkFlat reports workers that grow. It needs a long storm: at first everything grows.
func (s *storm) checkFlat() {
	for _, l := range s.lanes {
		n, first, last := s.quarters(l.name)
		if n < 100 || s.duration < 10*time.Minute {
			continue
		}
		if last.resident > first.resident*1.3+32<<20 || last.descriptors > first.descriptors+20 || last.routes > first.routes+40 {
			s.fault("the worker of lane %s grew: %+v, then %+v", l.name, first, last)
		}
	}
}
