package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// history is what happened in a run, one line for each step.
type history struct {
	start time.Time
	lines []line
}

// line is one step. Nothing in it comes from a real clock or from a random number that the seed does not
// decide, so that two runs of one seed have equal histories.
type line struct {
	at                  time.Duration
	who, what, key, tag string
	outcome             string
}

// add writes down that a model has served a call.
func (h *history) add(c *call, outcome string) {
	h.lines = append(h.lines, line{time.Since(h.start), c.proc.name, c.op, c.key, c.delivery.name(), outcome})
}

// note writes down something that is no call.
func (h *history) note(what, key, text string) {
	h.lines = append(h.lines, line{time.Since(h.start), "", what, key, "", text})
}

func (l line) String() string {
	s := fmt.Sprintf("%12s %-5s %-16s %s", l.at.Round(time.Microsecond), l.who, l.what, l.key)
	if l.tag != "" {
		s += " [" + l.tag + "]"
	}
	if l.outcome != "" {
		s += ": " + l.outcome
	}
	return s
}

// hash is equal for equal histories.
func (h *history) hash() uint64 {
	f := fnv.New64a()
	for _, l := range h.lines {
		_, _ = io.WriteString(f, l.String())
		_, _ = io.WriteString(f, "\n")
	}
	return f.Sum64()
}

// about returns the last n lines that concern a key: its own, those of its record, and those that concern
// everything.
func (h *history) about(key string, n int) []string {
	var found []string
	for i := len(h.lines) - 1; i >= 0 && len(found) < n; i-- {
		if l := h.lines[i]; key == "" || l.key == "" && l.what != opReceive || objectOf(l.key) == objectOf(key) {
			found = append(found, l.String())
		}
	}
	for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
		found[i], found[j] = found[j], found[i]
	}
	return found
}
